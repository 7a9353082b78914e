-- The conda command, ready in every shell without `conda init`, interactive or batch.
local site = os.getenv("BIVOUAC_SITE_DIR") or "/.bivouac/run/site"
local exe = pathJoin(os.getenv("BIVOUAC_LIBEXEC") or "/.bivouac/libexec", "bivouac-conda")
local base = pathJoin(site, "conda")

help("Conda: environments go to /projects/$USER/software/anaconda/envs, packages to /projects/$USER/.conda_pkgs ",
     "(written to ~/.condarc if there is none).")
whatis("Name: anaconda")
whatis("Version: " .. myModuleVersion())
whatis("Description: the conda package and environment manager")

setenv("CONDA_EXE", exe)
setenv("CONDA_ROOT", base)
setenv("CONDA_PYTHON_EXE", pathJoin(base, "bin/python3"))
prepend_path("PATH", os.getenv("BIVOUAC_CONDABIN") or "/.bivouac/condabin")

-- Calling a function for the first time replaces both by conda's own text.
for _, name in ipairs({ "conda", "mamba" }) do
    set_shell_function(name, [[
__conda_text="$("$CONDA_EXE" shell.posix function)" || return
eval "$__conda_text"
unset __conda_text
]] .. name .. [[ "$@"
]], "")
end

-- The site's configuration, where the user has none. Without namespaces the folders lie elsewhere.
local projects = "/projects/" .. (os.getenv("USER") or "")
if os.getenv("BIVOUAC_ROOT") then
    projects = os.getenv("PROJECTS") or projects
end
local function quoted(text)
    return "'" .. text:gsub("'", "'\\''") .. "'"
end
execute{ modeA = { "load" }, cmd = "[ -e \"$HOME/.condarc\" ] || printf '%s\\n' 'pkgs_dirs:' "
    .. quoted("  - " .. pathJoin(projects, ".conda_pkgs")) .. " 'envs_dirs:' "
    .. quoted("  - " .. pathJoin(projects, "software/anaconda/envs")) .. " >\"$HOME/.condarc\"" }

-- CONDA_SHLVL belongs to the shell's activations, not to this file: an inherited one stays. (base) is for people.
execute{ modeA = { "load" }, cmd = "export CONDA_SHLVL=\"${CONDA_SHLVL:-0}\"; "
    .. "case $- in *i*) [ \"$CONDA_SHLVL\" -gt 0 ] || conda activate base ;; esac" }
execute{ modeA = { "unload" }, cmd = "while [ \"${CONDA_SHLVL:-0}\" -gt 0 ]; do "
    .. "__conda_text=\"$(PS1=\"${PS1-}\" " .. quoted(exe) .. " shell.posix deactivate)\" || break; "
    .. "[ -n \"$__conda_text\" ] || break; eval \"$__conda_text\"; done; unset CONDA_SHLVL __conda_text" }
