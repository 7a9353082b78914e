-- Python 3.10.2 of the site: this machine's own Python stands in for it.
-- The folder of links is made with the site: python3.10 if the machine has one, else its python3.
local links = pathJoin(os.getenv("BIVOUAC_SITE_DIR") or "/.bivouac/run/site", "python")

help("Python. This machine's own interpreter stands in for the site's 3.10.2; `python --version` says which it is.")
whatis("Name: python")
whatis("Version: 3.10.2")
whatis("Description: the Python interpreter (this machine's own)")

if not isFile(pathJoin(links, "python3")) then
    LmodError("this machine has no python3 in /usr/bin or /usr/local/bin; install one, or use module load anaconda")
end
if mode() == "load" and not isFile(pathJoin(links, "python3.10")) then
    LmodMessage("python/3.10.2: this machine's own python3, of another version, stands in for it")
end
prepend_path("PATH", links)
