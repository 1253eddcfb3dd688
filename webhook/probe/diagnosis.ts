/**
 * Why an API server cannot call the webhook, by the text of its error, and what to do. Pure. The texts are Go's
 * (net, crypto/tls, crypto/x509) and the API server's own (k8s.io/apiserver/pkg/util/webhook, pkg/util/proxy).
 */

export interface Diagnosis {
  /** One word, the same for all texts that have the same cause. */
  readonly cause: string;
  /** What to do, for people. */
  readonly advice: string;
}

// The first that matches counts: some texts contain those of others.
const TABLE: readonly (readonly [texts: RegExp, cause: string, advice: string])[] = [
  [
    /asked for the client to provide credentials|unauthorized|none of the names in --webhook-client-names/i,
    'credentials',
    'API servers do not authenticate as --webhook-client-ca or --webhook-token-file ask for: set them up by an ' +
      'AdmissionConfiguration, or leave these settings out',
  ],
  [
    /no endpoints available|service "[^"]*" not found|has no matching port|no service port/i,
    'service',
    'the Service does not lead to a ready pod of the operator: compare its selector and port with the pods, and its name ' +
      'with --webhook-service and --webhook-service-port',
  ],
  [
    /x509:|tls: failed to verify certificate/i,
    'certificate',
    'whatever answers at that address does not show the operator’s certificate: make --webhook-url or --webhook-service ' +
      'the name by which API servers call the webhook, and let no proxy end TLS in between',
  ],
  [
    /server gave HTTP response|first record does not look like a TLS handshake|tls: /i,
    'tls',
    'whatever listens at that address does not speak TLS as the operator does: make the address lead to --webhook-port',
  ],
  [
    /connection refused/i,
    'refused',
    'nothing listens at that address and port: see whether the operator runs; if it does, make the port of --webhook-url, ' +
      'or the target port of the Service, the same as --webhook-port',
  ],
  [
    /i\/o timeout|deadline exceeded|Client\.Timeout|timed? ?out/i,
    'timeout',
    'a firewall or NetworkPolicy drops the connection: allow the control plane to reach --webhook-port of the operator’s ' +
      'pods; on private GKE and EKS clusters, add a firewall or security group rule for that port',
  ],
  [
    /no such host|server misbehaving/i,
    'name',
    'the control plane cannot resolve the host name in --webhook-url: use a name or an address that it knows',
  ],
  [
    /no route to host|network is unreachable|host is down/i,
    'route',
    'the control plane has no route to that address: check the network between it and the pods, or use a --webhook-url ' +
      'that it can reach',
  ],
  [
    /No agent available|agent.*(dial|tunnel)|konnectivity/i,
    'tunnel',
    'the tunnel from the control plane to the nodes is down: check the konnectivity agents in kube-system',
  ],
  [
    /EOF|connection reset|broken pipe/i,
    'closed',
    'the connection is closed before the answer: check what is between the control plane and the operator, and the log ' +
      'of the operator',
  ],
  [
    /could not find the requested resource|an error on the server|unable to handle the request|webhook response|not found|method not allowed/i,
    'answer',
    'what answers at that address is not this operator, or is stopping: make the address lead to --webhook-port',
  ],
];

const OTHER = ['', 'other', 'check what is between the control plane and --webhook-port of the operator'] as const;
const PORT = '--webhook-port';

/**
 * Returns the cause and the advice for the API server's error text. `port` is the webhook's, if it is known: who writes a
 * firewall rule needs the number.
 */
export function diagnose(text: string, port?: number): Diagnosis {
  // the URL contains `timeout=`
  const reason = text.replace(/^\w+ "[^"]*": /, '');
  const found = TABLE.find(([texts]) => texts.test(reason));
  const [, cause, advice] = found ?? OTHER;
  return { cause, advice: port === undefined ? advice : advice.replace(PORT, `${PORT} (${port})`) };
}
