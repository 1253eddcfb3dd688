/**
 * The catalogue of reasons: the one word for programs that a condition, a denial, a metric label, a log line and the
 * documentation share. docs/reference/reasons.md is generated from it.
 */

import { CONSENT_REASONS } from './consent-reasons.ts';
import { OUTCOME_REASONS } from './outcome-reasons.ts';
import type { Reason } from './reason.ts';
import { ROTATION_REASONS } from './rotation-reasons.ts';

export type { Reason };

const REFUSED = ['Accepted', 'Ready', 'Stalled', 'Event'] as const;
const UNDER_REVIEW = ['Admission', 'Workload', 'Event'] as const;

export const REASONS = {
  // the policy is in force
  Accepted: { usedBy: ['Accepted'], meaning: 'The policy is sound.', action: '' },
  Programmed: { usedBy: ['Programmed'], meaning: 'Admission uses the policy.', action: '' },
  Active: { usedBy: ['Ready', 'Event'], meaning: 'The policy is in force as it is written.', action: '' },
  CertificateReady: {
    usedBy: ['CertificateReady'],
    meaning: 'The webhook serves a certificate that API servers are told to trust.',
    action: '',
  },

  // it is not, on purpose or not yet
  Suspended: {
    usedBy: ['Programmed', 'Ready', 'Event'],
    meaning: 'spec.suspend takes the policy out of force.',
    action: 'Set spec.suspend to false to bring it back.',
  },
  NotAccepted: {
    usedBy: ['Programmed'],
    meaning:
      'The policy is not sound, and no sound generation of it is known to fall back on: it governs what it selects all the same (PolicyUnusable).',
    action: 'Fix what the condition Accepted names.',
  },
  NotProgrammed: {
    usedBy: ['Programmed', 'Ready', 'Reconciling'],
    meaning: 'API servers do not send the workloads of this namespace to the webhook yet.',
    action:
      'Wait a few seconds. If it persists, look for errors about the webhook configuration in the log of the operator.',
  },
  NamespaceExcluded: {
    usedBy: ['Programmed', 'Ready', 'Stalled', 'Event'],
    meaning: 'Workloads of this namespace are never injected: it is a system namespace, or the operator’s own.',
    action: 'Move the policy and the workloads to another namespace.',
  },
  ExcludedByPlatform: {
    usedBy: ['Programmed', 'Ready', 'Stalled'],
    meaning:
      'Something added a term to the webhook configuration that keeps this namespace out: API servers do not send its workloads to the webhook.',
    action:
      'Move the policy and the workloads to a namespace that the term in the message lets in, or have the platform that adds it leave this webhook alone (docs/adr/0016-proof-that-the-webhook-is-called.md).',
  },
  TargetUnknown: {
    usedBy: ['Ready', 'Stalled', 'Event'],
    meaning: 'spec.targets names a kind that the operator does not know. The policy is in force for its other targets.',
    action:
      'Add the kind to the operator’s setting templates (docs/guides/other-kinds.md), or correct or remove its name in spec.targets.',
  },
  TargetUnavailable: {
    usedBy: ['Ready', 'Stalled', 'Event'],
    meaning:
      'The API server has no such resource, does not let the operator watch it, or refuses to have it reviewed. The policy is in force for its other targets. The operator tries again within 30 seconds, and begins when it can.',
    action:
      'Do what the message says: install the CRD, grant the operator the right, or name the kind in the annotation of its ServiceAccount (docs/guides/other-kinds.md). Or remove the kind from spec.targets.',
  },
  ConfigurationLacking: {
    usedBy: ['Programmed', 'Ready', 'Stalled'],
    meaning:
      'The webhook configuration is kept by the installer (setting webhookConfiguration: External), and does not send the workloads of this namespace to the webhook as the policy asks.',
    action:
      'Change what the message names: compare the configuration with config/external-webhook, copy the CA into it, or label the namespace (config/README.md).',
  },
  Uninstalling: {
    usedBy: ['Programmed', 'Ready', 'Stalled'],
    meaning:
      'The operator is being removed: uninstall was run, or its namespace is being deleted. Nothing is injected any more.',
    action: 'Remove the rest of the operator (docs/guides/uninstall.md), or keep it with the command in the message.',
  },
  WebhookReached: {
    usedBy: ['WebhookReachable'],
    meaning: 'The operator had the API server review an object of its own, and the review arrived at the webhook.',
    action: '',
  },
  WebhookUnreachable: {
    usedBy: ['WebhookReachable', 'Ready', 'Stalled'],
    meaning:
      'API servers cannot call the webhook, so nothing is injected; under failurePolicy: Fail changes of workloads are refused where the webhook had been reached before.',
    action:
      'Do what the message says: it holds the API server’s own error. Most often the port of the Service or of --webhook-url is not --webhook-port, or a firewall keeps the control plane from it.',
  },
  WebhookNotProbed: {
    usedBy: ['WebhookReachable', 'Ready', 'Reconciling'],
    meaning: 'The operator does not know yet whether API servers reach the webhook.',
    action:
      'Wait a few seconds. If it persists, do what the message says: the operator must be allowed to create the ConfigMap vault-injection-operator-probe in its namespace as a dry run.',
  },
  CertificateNotReady: {
    usedBy: ['CertificateReady', 'Ready', 'Reconciling'],
    meaning: 'The webhook has no certificate to serve yet.',
    action:
      'Wait a few seconds. If it persists, look for errors about the Secret of the certificates in the log of the operator.',
  },
  CRDOutdated: {
    usedBy: ['CRDOutdated'],
    meaning:
      'The CRD in the cluster lacks fields that this version of the operator knows, so API servers drop them from policies and statuses. The condition is there only while it is so; everything else works.',
    action: 'Update the CRD: kubectl apply --server-side -f crds/ of this version of the operator.',
  },

  // the policy is not valid
  SchemaInvalid: {
    usedBy: REFUSED,
    meaning: 'A field has a value that the schema does not allow: the CRD in the cluster is not the operator’s.',
    action: 'Install the CRD of this version of the operator, then fix the fields that the message names.',
  },
  AddressInvalid: {
    usedBy: REFUSED,
    meaning: 'spec.vault.address is not http(s)://host, with an optional port and path.',
    action: 'Write an address such as https://vault.vault.svc:8200.',
  },
  CABundleInvalid: {
    usedBy: REFUSED,
    meaning: 'spec.vault.tls.caBundle is not a list of PEM certificates.',
    action: 'Paste the CA certificates, each from BEGIN CERTIFICATE to END CERTIFICATE.',
  },
  DurationInvalid: {
    usedBy: REFUSED,
    meaning: 'A duration cannot be parsed or is out of range.',
    action: 'Write a duration such as 10s or 5m, within the range that the message names.',
  },
  InjectorImageMissing: {
    usedBy: REFUSED,
    meaning: 'Neither the policy nor the operator names the image that holds vault-env.',
    action: 'Set spec.injector.image, or start the operator with an injector image.',
  },
  ResourcesInvalid: {
    usedBy: REFUSED,
    meaning: 'spec.injector.resources holds a quantity that cannot be used.',
    action: 'Write quantities such as 10m and 32Mi, with no request above its limit.',
  },
  PathNotAllowed: {
    usedBy: ['Accepted', 'Ready', 'Stalled', ...UNDER_REVIEW],
    meaning: 'spec.environment.allowedPaths does not allow to read a Vault path, or writes to write to it.',
    action: 'Refer to an allowed path, or widen allowedPaths (for vault:PATH#KEY) or writes (for >>vault:PATH#KEY).',
  },

  // Vault, which never withdraws a rule
  VaultReachable: { usedBy: ['VaultReachable', 'Event'], meaning: 'Vault answers and is unsealed.', action: '' },
  VaultStandby: {
    usedBy: ['VaultReachable', 'Event'],
    meaning: 'Vault answers and is unsealed; this server is a standby and forwards requests.',
    action: '',
  },
  VaultNotChecked: {
    usedBy: ['VaultReachable'],
    meaning: 'The operator did not ask Vault.',
    action: 'The message says why. Pods connect to Vault themselves, so this does not keep them from starting.',
  },
  VaultCAUnusable: {
    usedBy: ['VaultReachable', 'Event'],
    meaning:
      'The object that spec.vault.tls.caRef names does not exist, or its key holds no CA certificates. Pods wait for it, or do not trust Vault.',
    action: 'Create or correct the object as the message says.',
  },
  VaultSealed: { usedBy: ['VaultReachable', 'Event'], meaning: 'Vault is sealed.', action: 'Unseal it.' },
  VaultNotInitialized: {
    usedBy: ['VaultReachable', 'Event'],
    meaning: 'Vault answers but has not been initialized.',
    action: 'Initialize and unseal it.',
  },
  VaultTLSFailed: {
    usedBy: ['VaultReachable', 'Event'],
    meaning: 'The certificate of Vault cannot be verified, or Vault does not speak TLS at this address.',
    action:
      'Set spec.vault.tls.caBundle to the CA that signed the certificate, and serverName to a name that the certificate contains.',
  },
  VaultTimeout: {
    usedBy: ['VaultReachable', 'Event'],
    meaning: 'Vault did not answer in time.',
    action: 'Check the address, and the network policies and firewalls between the operator and Vault.',
  },
  VaultNameUnknown: {
    usedBy: ['VaultReachable', 'Event'],
    meaning: 'The host name in spec.vault.address does not resolve where the operator runs.',
    action: 'Correct the address or the DNS record.',
  },
  VaultUnreachable: {
    usedBy: ['VaultReachable', 'Event'],
    meaning: 'The operator could not connect to Vault, or the connection broke.',
    action: 'Check the address and the port, and that Vault is running.',
  },
  VaultAnswerUnexpected: {
    usedBy: ['VaultReachable', 'Event'],
    meaning: 'Something answers at the address, but it is not Vault.',
    action: 'Correct spec.vault.address: it must be the address of Vault itself, without a redirect.',
  },

  ...ROTATION_REASONS,

  ...OUTCOME_REASONS,

  // why a workload is denied
  PolicyUnusable: {
    usedBy: UNDER_REVIEW,
    meaning:
      'The policy that selects the workload cannot be used, and no earlier generation of it is known: nothing is ' +
      'injected or restored. If its failurePolicy is Fail, new workloads and changed templates are refused.',
    action: 'Correct what the condition Accepted of the policy names, or set its spec.suspend to true.',
  },
  EntrypointUnknown: {
    usedBy: UNDER_REVIEW,
    meaning: 'A container has no command, and neither the policy nor the registry of its image says what it would run.',
    action:
      'The message says what the registry answered. Fix that (docs/guides/private-registries.md), or write the command in ' +
      'the workload, or the ENTRYPOINT of the image in spec.images of the policy.',
  },
  MalformedObject: {
    usedBy: UNDER_REVIEW,
    meaning: 'The workload does not have the structure that its kind requires.',
    action: 'Correct the field that the message names.',
  },
  RecordTooLarge: {
    usedBy: UNDER_REVIEW,
    meaning: 'The record that restores the template does not fit into the 256 KiB that annotations may have.',
    action: 'Shorten the commands, arguments or annotations of the template, or wrap fewer containers.',
  },
  WorkloadTooLarge: {
    usedBy: UNDER_REVIEW,
    meaning: 'A review of the workload would take too long: it has more of something than any pod needs.',
    action: 'Have less of what the message names, or split the workload.',
  },
  SourceUnreadable: {
    usedBy: UNDER_REVIEW,
    meaning:
      'Environment comes from a ConfigMap or Secret that the operator cannot read, so references in it may be missed.',
    action:
      'Allow the operator to read it with a Role in the namespace (docs/guides/references-elsewhere.md), or set ' +
      'spec.inject.sources to Assume or Ignore.',
  },
  ...CONSENT_REASONS,
  VariableReserved: {
    usedBy: UNDER_REVIEW,
    meaning: 'A container sets a variable that injection reserves for itself.',
    action: 'Remove the variable VAULT_ENV_CONFIG from the container.',
  },

  EditedByPosition: {
    usedBy: UNDER_REVIEW,
    meaning:
      'A patch by position (a JSON patch of args/0, say) has hit words of the stored workload that injection generated, ' +
      'because positions there differ from those of the manifest.',
    action: 'Apply the changed manifest, or patch whole lists, such as command and args together.',
  },

  // how a workload stands to its policy
  NotInjected: {
    usedBy: ['Workload', 'Event'],
    meaning:
      'A container that should be injected is not: the workload was stored or changed while the webhook was unavailable.',
    action:
      'None: the operator asks admission to inject it. If it persists, the log of the operator says what was tried.',
  },
  KindNotCovered: {
    usedBy: ['Event'],
    meaning:
      'Workloads of the namespace refer to Vault, and no policy there names their kind in targets: their programs get the text of the references.',
    action:
      'Add the kind to spec.targets of the policy, or annotate the workloads with vaultinjection.dev/inject=false if they are meant so.',
  },
  NotAdopted: {
    usedBy: ['Workload', 'Event'],
    meaning: 'The workload ran before the policy, without injection: its template is older than the policy’s spec.',
    action:
      'Inject it with kubectl annotate deployment NAME vaultinjection.dev/apply=now, which replaces its pods, or set ' +
      'spec.rollout.strategy to Automatic. If it is not meant to be injected, annotate it with vaultinjection.dev/inject=false.',
  },
  ReferenceMalformed: {
    usedBy: ['Workload', 'Event'],
    meaning:
      'A variable refers to Vault in a form that vault-env cannot read, so programs of new pods would not start; the operator ' +
      'replaces no pods for it.',
    action: 'Correct the variable that the message names.',
  },
  PodsRefused: {
    usedBy: ['Workload', 'Event'],
    meaning:
      'The API server refuses to create pods of the workload, and its message names something that injection added: a quota, ' +
      'a limit range or a policy of the cluster does not allow it.',
    action:
      'Allow what the message names, or set spec.injector.resources or spec.injector.delivery: ImageVolume in the policy.',
  },
  TransitKeyMissing: {
    usedBy: ['Workload', 'Event'],
    meaning:
      'A variable holds a ciphertext and the policy names no key to decrypt it with, so programs of new pods would not start; ' +
      'the operator replaces no pods for it.',
    action: 'Set spec.environment.transit.keyID, or replace the ciphertext.',
  },
  InjectionChanged: {
    usedBy: ['Workload', 'Event'],
    meaning: 'The workload is injected, but the policy or the injector has changed since.',
    action:
      'Roll it with kubectl annotate deployment NAME vaultinjection.dev/apply=now, or set spec.rollout.strategy to Automatic.',
  },
  ToBeRestored: {
    usedBy: ['Workload', 'Event'],
    meaning: 'The workload is injected, and nothing asks for it any more.',
    action: 'As for InjectionChanged: the next change of the workload removes the injection.',
  },
  AnnotatedFalse: {
    usedBy: ['Workload'],
    meaning: 'The annotation vaultinjection.dev/inject: "false" keeps the workload out.',
    action: '',
  },
  AnnotationMissing: {
    usedBy: ['Workload'],
    meaning: 'The policy injects only annotated workloads (inject.when: Annotation), and this one is not annotated.',
    action: 'Set the annotation vaultinjection.dev/inject to "true" to let it in.',
  },
  OtherPolicyNamed: {
    usedBy: ['Workload'],
    meaning: 'The annotation vaultinjection.dev/policy names a policy that is not for this workload.',
    action: 'Name one that matches, or remove the annotation.',
  },
  OtherOperatingSystem: {
    usedBy: ['Workload'],
    meaning:
      'The pods of the workload are for nodes that do not run Linux, by os.name, a node selector or a required affinity. vault-env exists for Linux only.',
    action: 'Nothing; if its programs refer to Vault, let them read it themselves.',
  },
  NothingToInject: {
    usedBy: ['Workload'],
    meaning: 'No container of the workload refers to Vault.',
    action: '',
  },
  Finished: {
    usedBy: ['Workload'],
    meaning: 'The Job has ended, so nothing of it will be injected.',
    action: '',
  },
  Repaired: {
    usedBy: ['Event'],
    meaning: 'The operator asked admission to inject a workload that was not injected, and now it is.',
    action: '',
  },
  Adopted: {
    usedBy: ['Event'],
    meaning: 'The operator had a workload injected that ran before the policy: its pods are replaced.',
    action: '',
  },
  RolloutStarted: {
    usedBy: ['Event'],
    meaning:
      'The operator or the annotation vaultinjection.dev/apply had an outdated workload injected again: its pods are replaced.',
    action: '',
  },
  RestartStarted: {
    usedBy: ['Event'],
    meaning:
      'A secret that the pods of a workload read has a newer version: the pods are replaced. The message names path and versions.',
    action: '',
  },
  RepairUndone: {
    usedBy: ['Workload', 'Event', 'Stalled'],
    meaning: 'The injection of a workload was undone every time, so the operator stopped trying.',
    action:
      'Make the field manager that the message names leave command, args, env, volumes and volumeMounts alone, or exclude ' +
      'the workload; then kubectl annotate deployment NAME vaultinjection.dev/apply=now.',
  },
  RequestWithoutEffect: {
    usedBy: ['Workload', 'Event', 'Stalled'],
    meaning: 'The operator asked admission several times to inject a workload, and the workload did not change.',
    action:
      'Check whether API servers reach the webhook (see their metric apiserver_admission_webhook_fail_open_count), and ' +
      'whether a later webhook removes the injection. The operator asks again: every five minutes for a workload without ' +
      'injection, within hours for an outdated one, at once after kubectl annotate deployment NAME vaultinjection.dev/apply=now.',
  },
  RolloutFailed: {
    usedBy: ['Workload', 'Event', 'Stalled'],
    meaning: 'New pods of a workload did not become available, so no other workload of the policy is rolled out.',
    action:
      'Fix that workload or the policy. The rollout continues by itself when the workload is available or the policy changes.',
  },
} as const satisfies Record<string, Reason>;

export type ReasonCode = keyof typeof REASONS;

/** The reasons that `Use` carries. */
export type ReasonOf<Use extends Reason['usedBy'][number]> = {
  [Code in ReasonCode]: Use extends (typeof REASONS)[Code]['usedBy'][number] ? Code : never;
}[ReasonCode];
