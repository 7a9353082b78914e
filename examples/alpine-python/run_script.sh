#!/bin/bash

# What the job asks of the cluster.
#SBATCH --job-name=alpine-python
#SBATCH --partition=amilan
#SBATCH --qos=normal
#SBATCH --nodes=1
#SBATCH --ntasks=4
#SBATCH --time=01:00:00
#SBATCH --output=alpine-python.out
# Send mail when the job begins and when it ends, however it ends.
#SBATCH --mail-type=BEGIN,END,FAIL
#SBATCH --mail-user=you@example.org

# Start from a known set of modules, then take conda from the site.
module purge
module load anaconda

# Make the environment anew. Before the first job there is none to remove: conda says so, and the script goes on.
conda env remove --name alpine-python -y
conda env create -f environment.yml
conda activate alpine-python

# The submitter names the file: sbatch --export=CSV_FILEPATH=/path/to/table.csv run_script.sh
echo "Writing a random table to $CSV_FILEPATH"
python code/example.py $CSV_FILEPATH

conda deactivate
echo "run_script.sh is done."
