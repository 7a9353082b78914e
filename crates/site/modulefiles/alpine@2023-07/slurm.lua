-- Chooses the cluster on the real site, where several share one login node. Here there is one cluster, and the
-- commands are found without it, so this module only marks the choice.
help("Selects the Alpine cluster. It is loaded in every shell and stays at `module purge`.")
whatis("Name: slurm")
whatis("Version: alpine")
whatis("Description: selects the Alpine cluster")
add_property("lmod", "sticky")
