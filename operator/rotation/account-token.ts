import { ApiError } from '../../kube/object-client.ts';
import type { VaultIdentity } from '../vault-identities.ts';
import { VaultFailure } from '../vault/metadata-port.ts';

/** What is needed from the API server: ApiClient. */
export interface TokenIssuer {
  /** Creates a token for a ServiceAccount and one audience. Rejects with ApiError, whose message never contains it. */
  createToken(
    namespace: string,
    serviceAccount: string,
    options: { readonly audience: string; readonly expirationSeconds: number },
  ): Promise<string>;
}

// The minimum that the API server allows. The token is used at once, to log in.
const EXPIRATION_SECONDS = 600;

/**
 * Returns a function that creates tokens of a ServiceAccount that stands for the operator in Vault, which has no right in
 * the cluster, for a separate audience: the API server and other services do not accept them. It rejects with VaultFailure.
 *
 * @param namespace the operator's own
 */
export function accountToken(
  issuer: TokenIssuer,
  namespace: string,
): (account: Pick<VaultIdentity, 'serviceAccount' | 'audience'>) => Promise<string> {
  return async ({ serviceAccount, audience }) => {
    try {
      return await issuer.createToken(namespace, serviceAccount, { audience, expirationSeconds: EXPIRATION_SECONDS });
    } catch (error) {
      const why = error instanceof ApiError ? `${error.code} ${error.reason}` : 'no usable answer';
      const message = `the API server did not issue a token for the ServiceAccount ${serviceAccount} in ${namespace} (${why})`;
      throw new VaultFailure('NoToken', message);
    }
  };
}
