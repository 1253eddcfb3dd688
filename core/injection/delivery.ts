/**
 * What is added once per pod template: the volumes, and the init container that fills one of them. Every default of the
 * API server is written out, so that the stored object equals the generated one and a second admission finds nothing to
 * do.
 */
import type { CaRef, Rule } from '../policy/rule.ts';
import { CA_FILE } from './config.ts';
import { asObject, own } from '../json.ts';
import type { RawObject } from '../json.ts';
import { secretVolume, takesSecret, takesToken, TOKEN_FILE } from './login.ts';
import { EXECUTABLE_IN_IMAGE, INSTALL_DIRECTORY, INSTALL_FLAG } from './names.ts';
import type { Purpose } from './names.ts';
import { podSpecOf } from './pod.ts';
import { sameQuantity } from './quantity.ts';
import { followedResources } from './resources.ts';

export type VolumeNames = Readonly<Record<Purpose, string>>;

// 0644, what the API server fills in; the kubelet itself restricts a token to the user or fsGroup of its pod.
const DEFAULT_MODE = 420;
// The executable is smaller than 10 MB; the rest is room for the copy that replaces it on an update.
const EXECUTABLE_SIZE_LIMIT = '32Mi';
export const DEFAULT_TERMINATION_MESSAGE_PATH = '/dev/termination-log';
// "nonroot" of distroless images, and the user of the injector's own image.
const NON_ROOT = 65532;

export function volumesFor(rule: Rule, names: VolumeNames): readonly RawObject[] {
  const { vault, injector } = rule;
  const { audience, tokenExpirationSeconds } = vault.auth;
  const serviceAccountToken = {
    ...(audience === '' ? {} : { audience }),
    expirationSeconds: tokenExpirationSeconds,
    path: TOKEN_FILE,
  };
  const executable =
    injector.delivery === 'ImageVolume'
      ? { image: { reference: injector.image, pullPolicy: injector.imagePullPolicy } }
      : { emptyDir: { medium: 'Memory', sizeLimit: EXECUTABLE_SIZE_LIMIT } };
  const token = { projected: { sources: [{ serviceAccountToken }], defaultMode: DEFAULT_MODE } };
  const { caRef } = vault.tls;
  return [
    { name: names.executable, ...executable },
    ...(takesToken(rule) ? [{ name: names.token, ...token }] : []),
    ...(caRef === undefined ? [] : [{ name: names.ca, ...caVolume(caRef) }]),
    ...(takesSecret(rule) ? [{ name: names.credentials, ...secretVolume(rule, DEFAULT_MODE) }] : []),
  ];
}

function caVolume({ kind, name, key }: CaRef): RawObject {
  const items = [{ key, path: CA_FILE }];
  return kind === 'Secret'
    ? { secret: { secretName: name, items, defaultMode: DEFAULT_MODE } }
    : { configMap: { name, items, defaultMode: DEFAULT_MODE } };
}

/**
 * Returns the init container that copies vault-env into the volume: Pod Security "restricted", no shell, no network.
 * @param live the one that the template has now, if it has one
 */
export function installerFor(
  rule: Rule,
  name: string,
  volume: string,
  template: RawObject,
  live: RawObject | undefined,
): RawObject {
  const { image, imagePullPolicy, resources } = rule.injector;
  return {
    name,
    image,
    command: [EXECUTABLE_IN_IMAGE],
    args: [INSTALL_FLAG, INSTALL_DIRECTORY],
    resources:
      resources === undefined
        ? followedResources(podSpecOf(template) ?? {})
        : normalized(resources, asObject(live?.resources)),
    volumeMounts: [{ name: volume, mountPath: INSTALL_DIRECTORY }],
    terminationMessagePath: DEFAULT_TERMINATION_MESSAGE_PATH,
    terminationMessagePolicy: 'File',
    imagePullPolicy,
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      ...userAndGroup(rule, template),
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}

/** The policy's user; else the pod's, with nonroot in place of root; else undefined, which leaves it to the image. */
function userAndGroup({ injector }: Rule, template: RawObject): { runAsUser?: number; runAsGroup?: number } {
  const pod = asObject(podSpecOf(template)?.securityContext);
  const podUser = pod?.runAsUser;
  const user = injector.securityContext.runAsUser ?? (podUser === 0 ? NON_ROOT : podUser);
  const podGroup = pod?.runAsGroup ?? podUser;
  const group = injector.securityContext.runAsGroup ?? (podGroup === 0 ? NON_ROOT : pod?.runAsGroup);
  return {
    ...(typeof user === 'number' ? { runAsUser: user } : {}),
    ...(typeof group === 'number' ? { runAsGroup: group } : {}),
  };
}

/** Returns our quantities, each as the API server has written it in the template where it says the same. */
function normalized(
  { requests, limits }: NonNullable<Rule['injector']['resources']>,
  live: RawObject | undefined,
): RawObject {
  return {
    ...(requests && { requests: normalizedQuantities(requests, asObject(live?.requests)) }),
    ...(limits && { limits: normalizedQuantities(limits, asObject(live?.limits)) }),
  };
}

function normalizedQuantities(ours: Readonly<Record<string, string>>, live: RawObject | undefined): RawObject {
  const texts = Object.entries(ours).map(([name, quantity]): [string, unknown] => {
    const text = own(live, name);
    return [name, sameQuantity(text, quantity) ? text : quantity];
  });
  return Object.fromEntries(texts);
}
