"""The planets, by the fact sheets of space agencies, rounded."""

PLANETS = [
    {"name": "Mercury", "diameter_km": 4879, "gravity": 3.7, "distance_au": 0.39, "year_days": 88.0},
    {"name": "Venus", "diameter_km": 12104, "gravity": 8.9, "distance_au": 0.72, "year_days": 224.7},
    {"name": "Earth", "diameter_km": 12756, "gravity": 9.8, "distance_au": 1.0, "year_days": 365.2},
    {"name": "Mars", "diameter_km": 6792, "gravity": 3.7, "distance_au": 1.52, "year_days": 687.0},
    {"name": "Jupiter", "diameter_km": 142984, "gravity": 23.1, "distance_au": 5.2, "year_days": 4331.0},
    {"name": "Saturn", "diameter_km": 120536, "gravity": 9.0, "distance_au": 9.58, "year_days": 10747.0},
    {"name": "Uranus", "diameter_km": 51118, "gravity": 8.7, "distance_au": 19.2, "year_days": 30589.0},
    {"name": "Neptune", "diameter_km": 49528, "gravity": 11.0, "distance_au": 30.05, "year_days": 59800.0},
]
