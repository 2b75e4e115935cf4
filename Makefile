# Two commands do all the set-up on a machine with python3, make and git: `make demo` and `make test`.
PYTHON ?= python3

.PHONY: help demo test lint types unit js oracle once wheel e2e e2e-chromium e2e-firefox e2e-webkit fix clean

help:            ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo:            ## serve examples/tour.py: opens a browser, or prints the address
	@$(PYTHON) scripts/bootstrap.py demo
	@.venv/bin/rdit serve examples/tour.py

test:            ## everything: lint, types, unit tests on each Python here, the browser side, stories in each browser
	@$(PYTHON) scripts/bootstrap.py test

lint:            ## rules and format
types:           ## strict typing
js:              ## the browser side: types, and tests in Node
oracle:          ## the model against the reference implementation
once:            ## what one Python is enough for: seeds of the simulator, planted bugs, all examples of the properties
wheel:           ## what a plain install brings
e2e-chromium:    ## stories in Chromium
e2e-firefox:     ## stories in Firefox
e2e-webkit:      ## stories in WebKit
fix:             ## format, and mend what the linter can
lint types js oracle once wheel e2e-chromium e2e-firefox e2e-webkit fix:
	@$(PYTHON) scripts/bootstrap.py test $@

unit:            ## unit tests on each Python here
	@$(PYTHON) scripts/bootstrap.py test py310 py311 py312 py313

e2e:             ## stories in each browser
	@$(PYTHON) scripts/bootstrap.py test e2e-chromium e2e-firefox e2e-webkit

clean:           ## remove the environments and what tests left
	rm -rf .venv .tox .mypy_cache .pytest_cache .ruff_cache build dist e2e/artifacts rdit_ref_server/client/node_modules
