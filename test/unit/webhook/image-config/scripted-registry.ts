/** An HTTP server on loopback that answers as a test tells it to, and the documents of an image for it to serve. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ScriptedAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** Undefined: it never answers. */
export type Script = (path: string, headers: IncomingHttpHeaders, method: string) => ScriptedAnswer | undefined;

export interface ScriptedRegistry {
  /** Such as 127.0.0.1:12345 */
  readonly host: string;
  /** `METHOD path authorization` of every request so far. */
  readonly requests: string[];
  /** What it says from now on. */
  script: Script;
  close(): Promise<void>;
}

export async function startScriptedRegistry(script: Script = () => ({ status: 404 })): Promise<ScriptedRegistry> {
  const requests: string[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const { url = '', method = '', headers } = request;
    requests.push(`${method} ${url} ${headers.authorization ?? '-'}`);
    const answer = registry.script(url, headers, method);
    if (answer === undefined) return;
    response.writeHead(answer.status ?? 200, answer.headers ?? {});
    response.end(method === 'HEAD' ? undefined : answer.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const registry: ScriptedRegistry = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    script,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return registry;
}

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';

export function digestOf(text: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

export function descriptor(mediaType: string, text: string): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: digestOf(text), size: Buffer.byteLength(text) };
}

export interface ImageDocuments {
  readonly config: string;
  readonly manifest: string;
  readonly digest: string;
}

export function imageDocuments(
  config: object,
  types: { readonly manifest: string; readonly config: string } = { manifest: OCI_MANIFEST, config: OCI_CONFIG },
): ImageDocuments {
  const text = JSON.stringify({ os: 'linux', architecture: 'amd64', config });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptor(types.config, text),
    layers: [],
  });
  return { config: text, manifest, digest: digestOf(manifest) };
}

/** Serves documents of the repository `app`, by digest and the first one by the tag `1`. */
export function serving(type: string, ...documents: readonly string[]): Script {
  return (path) => {
    const [first = ''] = documents;
    if (path === '/v2/app/manifests/1') return answerOf(first, type);
    const found = documents.find((text) => path.endsWith(digestOf(text)));
    if (found === undefined) return { status: 404 };
    const own = (JSON.parse(found) as { mediaType?: string }).mediaType;
    return answerOf(found, own ?? 'application/octet-stream');
  };
}

function answerOf(body: string, type: string): ScriptedAnswer {
  return { headers: { 'content-type': type, 'docker-content-digest': digestOf(body) }, body };
}
