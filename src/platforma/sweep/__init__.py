"""The sweep: each tenant's project is compared with the database, and what differs is found, told and mended."""
