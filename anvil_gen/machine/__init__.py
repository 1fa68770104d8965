"""What a machine says: Docker and Compose, containers and their logs, GPUs, ports, memory and disks."""
