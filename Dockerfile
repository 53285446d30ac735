# castmeter as an image of one static binary: docker build -t castmeter .
#
# Serves with what CASTMETER_… and DATABASE_URL say; keeps its data in the volume /var/lib/castmeter.

FROM rust:1.95.0-alpine3.22 AS build
RUN apk add --no-cache build-base ca-certificates
WORKDIR /castmeter
COPY . .
# Rust's targets for musl link statically.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/castmeter/target \
    cargo build --locked --release --bin castmeter && install -D -m 755 target/release/castmeter /out/castmeter
RUN mkdir -m 700 /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/castmeter /usr/local/bin/castmeter
# A volume made from here belongs to the user that castmeter runs as.
COPY --from=build --chown=65532:65532 /out/data /var/lib/castmeter
USER 65532:65532
WORKDIR /var/lib/castmeter
ENV PATH=/usr/local/bin CASTMETER_DATA_DIR=/var/lib/castmeter SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
VOLUME /var/lib/castmeter
# Batches over HTTP, syslog over TCP, metrics and health.
EXPOSE 8080 5514 9310
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["castmeter", "check-health"]
# What waits is counted and committed first.
STOPSIGNAL SIGTERM
ENTRYPOINT ["castmeter"]
CMD ["serve"]
