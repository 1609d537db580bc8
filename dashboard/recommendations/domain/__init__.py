"""Songs, queries and genre mixes: values without I/O."""
