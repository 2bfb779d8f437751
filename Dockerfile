# The image of configsvc: one process, the repository in a volume.
#
#   docker build -t configsvc .
#   docker run --rm -p 127.0.0.1:5000:5000 -v configs:/var/lib/configsvc/config-repo configsvc
#
# Inside a container the service has to listen on all addresses to be reached at all. So it makes an admin when it is first
# started; its token is in the volume, in .git/configsvc/admin-token (docs/access.md). To choose it yourself, mount a
# file and name it with CONFIGSVC_ADMIN_TOKEN_FILE. `configsvc serve --open` serves without any credential: publish the
# port on 127.0.0.1 then, or on a network that only trusted programs reach.
#
# A folder of the host used instead of the volume has to belong to uid 10001.

FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/configsvc
WORKDIR /src
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY configsvc configsvc
RUN /opt/configsvc/bin/python -m pip install '.[server]'

FROM python:3.13-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 configsvc \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/configsvc --shell /usr/sbin/nologin --no-create-home configsvc \
    && install -d -o configsvc -g configsvc -m 0750 \
        /var/lib/configsvc /var/lib/configsvc/config-repo /var/lib/configsvc/schemas
COPY --from=build /opt/configsvc /opt/configsvc

ENV PATH=/opt/configsvc/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CONFIGSVC_REPO=/var/lib/configsvc/config-repo \
    CONFIGSVC_SCHEMAS=/var/lib/configsvc/schemas \
    CONFIGSVC_LISTEN=0.0.0.0:5000
USER configsvc
WORKDIR /var/lib/configsvc
VOLUME ["/var/lib/configsvc/config-repo", "/var/lib/configsvc/schemas"]
EXPOSE 5000
# The service drains and exits within 10 seconds, which is what `docker stop` waits for.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; port = os.environ['CONFIGSVC_LISTEN'].rpartition(':')[2]; r.build_opener(r.ProxyHandler({})).open(f'http://127.0.0.1:{port}/healthz', timeout=2)"]
ENTRYPOINT ["configsvc"]
CMD ["serve"]
