WORKERS = -n 4 --dist loadfile --no-loadscope-reorder
PURE = $(addprefix dashboard/, analyzer i18n recommendations uploads viewmodels) \
       $(addprefix models/, audio spectrogram) \
       $(addprefix realtime/, audio config history network outputs pipeline protocol server sources)
QUICK = not (benchmark or cluster or e2e or recordings or sound_servers or training)

.PHONY: setup run test test-quick coverage lint dist bench bench-check soak
.DEFAULT_GOAL := run

setup:
	@.ci/setup run

run: setup
	@.venv/bin/overheard run $(ARGS)

# PYTHONDONTWRITEBYTECODE is unset, because without bytecode every process compiles all tests.
test:
	@.ci/setup test
	@PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest $(or $(ARGS),$(WORKERS))

# All tests that need no browser, cluster, sound server, training, benchmark or real recording.
test-quick:
	@.ci/setup test
	@PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest $(WORKERS) -m "$(QUICK)" --hypothesis-profile quick $(ARGS)

# The limit in pyproject.toml holds for each of these packages by itself, and not for the sum of all packages:
# others run in child processes and in Streamlit, where coverage does not measure.
coverage:
	@.ci/setup test
	@.venv/bin/python -m pytest $(WORKERS) --cov --cov-report= --cov-fail-under=0
	@for package in $(PURE); do .venv/bin/python -m coverage report --include="$$package/*" || exit; done

lint:
	@.ci/setup test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.ci/node_modules/.bin/biome ci --error-on-warnings

# The wheel in new environments outside the repository, with the newest and with the oldest versions. Takes 600 MB.
dist:
	@.ci/setup run
	@.ci/dist $(ARGS)

bench:
	@.ci/setup test
	@.venv/bin/python -m tests.benchmarks $(ARGS)

bench-check:
	@.ci/setup test
	@.venv/bin/python -m tests.benchmarks.compare

soak:
	@.ci/setup test
	@.venv/bin/python -m tests.benchmarks.soak $(ARGS)
