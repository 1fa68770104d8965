"""Facts of the machine: Docker and Compose, containers and their logs, GPUs, ports, memory and disks."""
