# docstore on the official image of PostgreSQL:
#
#   docker build --build-arg PG_MAJOR=18 --tag docstore .
#
# For the images that are based on Debian, which is what a tag has unless it says alpine. CI does not build the image:
# the test of this file, test/package/6_docker, executes its instructions in a Debian root file system.
ARG PG_MAJOR=18

FROM postgres:${PG_MAJOR} AS build
# The image sets PG_MAJOR, too. Any version of these packages that its archive has will do.
# hadolint ignore=DL3008
RUN apt-get update \
	&& apt-get install --yes --no-install-recommends build-essential "postgresql-server-dev-$PG_MAJOR" \
	&& rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Makefile docstore.control ./
COPY sql sql
COPY src src
RUN make with_llvm=no PG_CONFIG="/usr/lib/postgresql/$PG_MAJOR/bin/pg_config" DESTDIR=/installed install

FROM postgres:${PG_MAJOR}
COPY --from=build /installed/ /
# The default database of a new container has docstore.
RUN echo 'CREATE EXTENSION docstore;' >/docker-entrypoint-initdb.d/docstore.sql
