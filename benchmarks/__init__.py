"""Speed and memory of scalebridge beside public peers, and the floor that no such solver can go below."""
