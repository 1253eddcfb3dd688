# The image that is injected into workloads, for those who build images with an engine (operator.Dockerfile).
#
#   make build
#   docker buildx build -f build/docker/vault-env.Dockerfile --platform linux/amd64,linux/arm64 -t REGISTRY/vault-env:0.1.0 .
FROM scratch
ARG TARGETARCH
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="vault-env" \
      org.opencontainers.image.description="Resolves references to Vault in its environment, and becomes the program" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --chmod=555 dist/vault-env-linux-${TARGETARCH} /vault-env
COPY --chmod=444 LICENSE /licenses/vault-injection-operator
COPY --chmod=444 NOTICE /licenses/notice
COPY --chmod=444 build/runtime/go-license.txt /licenses/go
USER 65532:65532
ENTRYPOINT ["/vault-env"]
