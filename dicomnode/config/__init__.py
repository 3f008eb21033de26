"""config.toml as frozen pydantic models."""
