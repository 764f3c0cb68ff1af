# Built in one stage, run in another: the second holds the binary and the certificates that it trusts.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --release --locked && install -d -o 65532 -g 65532 /data

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /source/target/release/entrepot /usr/local/bin/entrepot
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
VOLUME /data
EXPOSE 24817
ENTRYPOINT ["/usr/local/bin/entrepot"]
CMD ["serve"]
