import { asObject, parseJson } from '../core/json.ts';
import { codeOf, explained, isTimeout } from '../core/network-error.ts';
import { retryAfterMs } from '../core/retry-after.ts';
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
 * Returns the error for missing credentials: an exec plugin or a file failed. It leaves out what the plugin printed.
 */
export function errorOfCredentials(cause: unknown, context: AnswerContext): ApiError {
  const detail = cause instanceof Error && cause.name === 'KubeConfigError' ? cause.message : codeOf(cause);
  const message = `${context.call}: no credentials from the kubeconfig (${detail}): its exec plugin failed or a file is missing`;
  return new ApiError(0, 'NoCredentials', message);
}

function statusOf(body: string): { reason?: string; message?: string } {
  const { kind, reason, message } = asObject(parseJson(body)) ?? {};
  if (kind !== 'Status') return {};
  return {
    ...(typeof reason === 'string' && reason !== '' ? { reason } : {}),
    ...(typeof message === 'string' ? { message } : {}),
  };
}
