"""The cycle model: one file per RTL unit, each unit's control stepped one clock at a time in compiled Python."""
