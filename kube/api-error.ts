import { asObject, parseJson } from '../core/json.ts';
import { codeOf, explained, isTimeout } from '../core/network-error.ts';
import { retryAfterMs } from '../core/retry-after.ts';
import { ExecPluginError } from './exec-plugin.ts';
import { ApiError } from './object-client.ts';

export interface AnswerContext {
  /** Method and path without the query, such as `GET /api/v1/namespaces/default`. */
  readonly call: string;
  /** Secrets: the server's message may quote values, so it is left out. */
  readonly confidential: boolean;
}

const LONGEST_MESSAGE = 500;

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
  const reason = status.reason ?? `HTTP${code}`;
  const said =
    context.confidential || status.message === undefined ? '' : `: ${status.message.slice(0, LONGEST_MESSAGE)}`;
  return new ApiError(code, reason, `${context.call}: ${code} ${reason}${said}`, retryAfterMs(retryAfter));
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

function statusOf(body: string): { reason?: string; message?: string } {
  const { kind, reason, message } = asObject(parseJson(body)) ?? {};
  if (kind !== 'Status') return {};
  return {
    ...(typeof reason === 'string' && reason !== '' ? { reason } : {}),
    ...(typeof message === 'string' ? { message } : {}),
  };
}
