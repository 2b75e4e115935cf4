"""More text than a page keeps."""

for thousand in range(200):
    print("\n".join(f"line {number:6}" for number in range(thousand * 1000, (thousand + 1) * 1000)))
