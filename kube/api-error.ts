import { asObject, asString, parseJson } from '../core/json.ts';
import { codeOf, explained, isTimeout } from '../core/network-error.ts';
import { withoutPathTokens } from '../core/path-token.ts';
import { retryAfterMs } from '../core/retry-after.ts';
import { shownText } from '../core/shown.ts';
import { ExecPluginError } from './exec-plugin.ts';
import type { Lack } from './object-client.ts';
import { ApiError } from './object-client.ts';

export interface AnswerContext {
  /** Method and path without the query, such as `GET /api/v1/namespaces/default`. */
  readonly call: string;
  /** Secrets: the server's message may quote values, so it is left out. */
  readonly confidential: boolean;
}

const LONGEST_MESSAGE = 500;
// They are words, such as AlreadyExists.
const LONGEST_REASON = 64;

/**
 * Returns the error for an unsuccessful response. `body` is what the server sent: a Status from a Kubernetes server.
 */
export function errorOfAnswer(
  code: number,
  retryAfter: string | undefined,
  body: string,
  context: AnswerContext,
): ApiError {
  const status = statusOf(body);
  const reason = shownText(status.reason ?? `HTTP${code}`, LONGEST_REASON);
  const said =
    context.confidential || status.message === undefined ? '' : `: ${shownText(status.message, LONGEST_MESSAGE)}`;
  const message = `${context.call}: ${code} ${reason}${said}`;
  return new ApiError(code, reason, message, retryAfterMs(retryAfter), lackOf(code, status, context.call));
}

/**
 * Returns the error for no response at all. It takes only the code of the cause: libraries attach requests to their
 * errors.
 */
export function errorOfNoAnswer(cause: unknown, context: AnswerContext): ApiError {
  if (cause instanceof ApiError) return cause;
  const code = codeOf(cause);
  const reason = isTimeout(code) ? 'Timeout' : code === 'AbortError' ? 'Aborted' : 'Unreachable';
  return new ApiError(0, reason, `${context.call}: ${explained(code) ?? `no answer (${code})`}`);
}

/**
 * Returns the error for missing credentials: an exec plugin or a file failed, or `cause` is why the call ended before
 * they were there. It leaves out what the plugin printed.
 */
export function errorOfCredentials(cause: unknown, context: AnswerContext): ApiError {
  const reason = isTimeout(codeOf(cause)) ? 'Timeout' : 'NoCredentials';
  return new ApiError(0, reason, `${context.call}: no credentials: ${whyNone(cause)}`);
}

// What others throw may quote a plugin's output or a file.
function whyNone(cause: unknown): string {
  if (cause instanceof ExecPluginError) return cause.message;
  if (cause instanceof Error && cause.name === 'KubeConfigError') return cause.message;
  const code = codeOf(cause);
  if (isTimeout(code) || code === 'AbortError') return 'the exec plugin of the kubeconfig has not ended yet';
  return `a file that the kubeconfig names cannot be read (${code})`;
}

interface Status {
  readonly reason?: string;
  readonly message?: string;
  /** The kind and name of the object that the answer is about. */
  readonly about?: { readonly kind: string | undefined; readonly name: string | undefined };
}

function statusOf(body: string): Status {
  const { kind, reason, message, details } = asObject(parseJson(body)) ?? {};
  if (kind !== 'Status') return {};
  const about = asObject(details) ?? {};
  return {
    about: { kind: asString(about.kind), name: asString(about.name) },
    ...(typeof reason === 'string' && reason !== '' ? { reason } : {}),
    // an API server that cannot call the webhook says at which URL
    ...(typeof message === 'string' ? { message: withoutPathTokens(message) } : {}),
  };
}

/** Also of an answer about a Secret, whose message is not repeated: only the words of the authorizer are used. */
function lackOf(code: number, { message, about }: Status, call: string): Lack | undefined {
  if (code === 403) return message === undefined ? undefined : missingRight(message);
  if (code !== 404) return undefined;
  // a GET of a namespace says the same, but it lacks nothing else
  if (about?.kind === 'namespaces' && about.name !== undefined && !call.endsWith(`/namespaces/${about.name}`)) {
    return { kind: 'Namespace', name: about.name };
  }
  const [, group, plural] = /^[A-Z]+ \/apis\/([^/]+)\/[^/]+\/(?:namespaces\/[^/]+\/)?([^/]+)/.exec(call) ?? [];
  // an API server answers "404 page not found", not with a Status, where no resource is served
  if (group === undefined || plural === undefined || about !== undefined) return undefined;
  return { kind: 'Resource', group, plural };
}

// As k8s.io/apiserver writes it (pkg/endpoints/handlers/responsewriters/errors.go); an admission plugin, which also
// answers 403, says something else.
const FORBIDDEN =
  /cannot ([a-z]+) resource "([^"]+)" in API group "([^"]*)" (?:at the cluster scope|in the namespace "([^"]*)")/;

function missingRight(message: string): Lack | undefined {
  const [, verb, resource, group, namespace = ''] = FORBIDDEN.exec(message) ?? [];
  if (verb === undefined || resource === undefined || group === undefined) return undefined;
  return { kind: 'Right', verb, group, resource, namespace };
}
