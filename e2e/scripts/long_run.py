"""Goes on until a file is there: the first argument says which."""

import sys
import time
from pathlib import Path

from poke import Field

shared = Field(label="shared", value="start")
shared
print("begun")
while not Path(sys.argv[1]).exists():
    time.sleep(0.01)
print("ended")
