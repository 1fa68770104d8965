"""The contract of routers: what each of them claims it does, and what it does not claim it does not do."""
