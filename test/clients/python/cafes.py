"""The documents that the programs of Python save: 20 cafes, of which somebody else changes 3 in the meantime."""
CAFES = [f"cafe-{n:02}" for n in range(1, 21)]
CHANGED = ["cafe-04", "cafe-11", "cafe-17"]

# The changes for docstore.save(): everybody opens at 7, and was seen at version 1.
CHANGES = [{"op": "upsert", "collection": "cafes", "id": cafe, "data": {"opens": 7}, "expected": 1} for cafe in CAFES]

# What the conflict says of them.
VIOLATED = [{"item": CAFES.index(cafe) + 1, "op": "upsert", "kind": "document", "collection": "public.cafes", "id": cafe, "reason": "stale",
             "expected": 1, "actual": 2} for cafe in CHANGED]

# How many of them have what CHANGES say.
STORED = "SELECT count(*) FROM cafes WHERE id ~ '^cafe-' AND data ->> 'opens' = '7'"
