/** What comes before the names of images unless IMAGE_PREFIX says otherwise. No registry is asked for it by accident. */
export const DEFAULT_PREFIX = 'localhost';

// What github.com/distribution/reference takes for a host: it has a dot or a port, or is localhost. A first part
// without them is a user on docker.io, and a name without a slash is one of its official images.
const LABEL = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
const HOST = new RegExp(`^(?:localhost|${LABEL}(?:\\.${LABEL})+|${LABEL}(?:\\.${LABEL})*(?=:))(?::[0-9]{1,5})?$`);
const PART = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;

/**
 * Returns the full name of an image, such as ghcr.io/acme/vault-env:0.1.0. A node finds an imported image only under a
 * name that has its registry in it: what asks for `vault-env:0.1.0` looks for docker.io/library/vault-env:0.1.0. So a
 * prefix without a host is refused with an error that says what to write.
 */
export function imageName(prefix: string, name: string, tag: string): string {
  const [host = '', ...path] = prefix.replace(/\/$/, '').split('/');
  // what is on docker.io itself is called library/…, and its other host is never part of a name
  const isDockerItself = host === 'index.docker.io' || (host === 'docker.io' && path.length === 0);
  if (!HOST.test(host) || isDockerItself) {
    throw new Error(
      `IMAGE_PREFIX: "${prefix}" does not begin with the host of a registry; write for example ghcr.io/acme, docker.io/acme or localhost`,
    );
  }
  const wrong = [...path, name].find((part) => !PART.test(part));
  if (wrong !== undefined) {
    throw new Error(
      `IMAGE_PREFIX: "${prefix}" is not the beginning of an image's name: "${wrong}" may have lower-case letters, digits and single . _ - between them`,
    );
  }
  if (!TAG.test(tag)) throw new Error(`"${tag}" is not a tag: it may have letters, digits, . _ - and 128 characters`);
  return `${[host, ...path, name].join('/')}:${tag}`;
}
