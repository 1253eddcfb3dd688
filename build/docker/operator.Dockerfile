# The operator's image, for those who build images with an engine. `make images` builds one without (ADR 36).
#
#   make build
#   docker buildx build -f build/docker/operator.Dockerfile --platform linux/amd64,linux/arm64 -t REGISTRY/vault-injection-operator:0.1.0 .
#
# Instead of distroless, --build-arg BASE=node:24-bookworm-slim takes Node's own image.
ARG BASE=gcr.io/distroless/nodejs24-debian12:nonroot
FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="vault-injection-operator" \
      org.opencontainers.image.description="Puts Vault secrets into the environment of programs on Kubernetes, by policy" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --chmod=444 dist/operator.mjs dist/tracing.mjs dist/vaultinjectionpolicies.yaml /
COPY --chmod=444 LICENSE /licenses/vault-injection-operator
COPY --chmod=444 NOTICE /licenses/notice
COPY --chmod=444 dist/bundled-licenses.txt /licenses/bundled
# where distroless has node, and where Node's own image has it
ENV PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin
USER 65532:65532
ENTRYPOINT ["node", "/operator.mjs"]
CMD []
