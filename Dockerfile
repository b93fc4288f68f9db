FROM debian:bookworm-slim AS build
WORKDIR /src
COPY scripts/packages scripts/packages
RUN scripts/packages build
COPY . .
RUN cmake --preset release -DVERBATIM_TESTS=OFF \
 && cmake --build --preset release \
 && install -s build/release/verbatim /usr/local/bin/verbatim

FROM debian:bookworm-slim
# The shared libraries that the program loads, and the certificate authorities for upstream connections.
RUN apt-get -qq update \
 && apt-get -qq install --no-install-recommends -y ca-certificates \
      libcurl4 libflac12 libopus0 libopusenc0 libopusfile0 libpq5 libprometheus-cpp-core1.0 libre2-9 libsimdjson14 \
      libsqlite3-0 libssl3 libtomlplusplus3 zlib1g >/dev/null \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin verbatim \
 && install -d -o verbatim -g verbatim /data
COPY --from=build /usr/local/bin/verbatim /usr/local/bin/verbatim
COPY LICENSE NOTICE THIRD_PARTY.md /usr/share/doc/verbatim/
USER verbatim
VOLUME /data
EXPOSE 8443
# A new container on the same volume continues the conversations of the old one.
ENV VERBATIM_SERVER_LISTEN=0.0.0.0:8443 VERBATIM_SERVER_DATA_DIR=/data VERBATIM_SERVER_RESTART=handover
LABEL org.opencontainers.image.title="Verbatim" \
      org.opencontainers.image.description="Relay for realtime voice that keeps the transcript" \
      org.opencontainers.image.licenses="Apache-2.0"
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["verbatim", "health"]
ENTRYPOINT ["verbatim"]
CMD ["serve"]
