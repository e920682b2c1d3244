"""Images and volumes in, fields, tables and cards out. Knows no physics."""
