/** Policies about the login: as people get them wrong, and right. */
import { bad, vault, type BadPolicy, type Spec } from './policy-case.ts';

const auth = (fields: Spec): Spec => vault({ auth: fields });
const secretRef = { name: 'vault-login' };

export const BAD_LOGINS: readonly BadPolicy[] = [
  ...bad('spec.vault.auth.method', 'Unsupported value', { 'method Userpass': auth({ method: 'Userpass' }) }),
  ...bad('spec.vault.auth.secretRef', 'write its name as secretRef.name', {
    'AppRole without a Secret': auth({ method: 'AppRole' }),
    'a certificate without a Secret': auth({ method: 'Certificate' }),
  }),
  ...bad('spec.vault.auth.secretRef', 'is for the methods AppRole and Certificate', {
    'a Secret to log in with a token': auth({ secretRef }),
    'a Secret to log in to AWS': auth({ method: 'AWS', secretRef }),
  }),
  ...bad('spec.vault.auth.secretRef.name', 'write the name of a Secret', {
    'a Secret of another namespace': auth({ method: 'AppRole', secretRef: { name: 'vault/login' } }),
  }),
  ...bad('spec.vault.auth.secretIDWrapped', 'is for the method AppRole', {
    'a wrapped secret id for a certificate': auth({ method: 'Certificate', secretRef, secretIDWrapped: true }),
  }),
  ...bad('spec.vault.auth.role', 'the role-id in the Secret determines the role', {
    'a role for AppRole': auth({ method: 'AppRole', secretRef, role: 'shop' }),
  }),
  ...bad('spec.vault.auth.audience', 'omit audience', {
    'an audience without a token': auth({ method: 'GCP', audience: 'vault' }),
  }),
  ...bad('spec.vault.auth.tokenExpiration', 'omit tokenExpiration', {
    'the life of a token that is not there': auth({ method: 'AppRole', secretRef, tokenExpiration: '1h' }),
  }),
  ...bad('spec.vault.auth.type', 'type is for the methods AWS and GCP', {
    'a type of Azure': auth({ method: 'Azure', type: 'IAM' }),
  }),
  ...bad('spec.vault.auth.type', 'method AWS has the type IAM alone', {
    'an instance of AWS': auth({ method: 'AWS', type: 'GCE' }),
  }),
  ...bad('spec.vault.auth.type', 'Unsupported value', { 'type EC2': auth({ method: 'AWS', type: 'EC2' }) }),
  ...bad('spec.vault.auth.region', 'region is for the method AWS', {
    'a region of Google Cloud': auth({ method: 'GCP', region: 'europe-west1' }),
  }),
  ...bad('spec.vault.auth.region', 'write a region of AWS', {
    'a region that is a host': auth({ method: 'AWS', region: 'sts.eu-west-1.amazonaws.com' }),
  }),
  ...bad('spec.vault.auth.headerValue', 'headerValue is for the method AWS', {
    'a server id for Kubernetes': auth({ headerValue: 'vault' }),
  }),
  ...bad('spec.vault.auth.headerValue', 'write printable ASCII text', {
    'a server id in two lines': auth({ method: 'AWS', headerValue: 'a\nb' }),
  }),
  ...bad('spec.vault.auth.serviceAccount', 'serviceAccount is one of Google Cloud', {
    'a ServiceAccount of Kubernetes': auth({ serviceAccount: 'shop@project.iam.gserviceaccount.com' }),
  }),
  ...bad('spec.vault.auth.serviceAccount', 'write an e-mail address', {
    'a service account by name': auth({ method: 'GCP', serviceAccount: 'shop' }),
  }),
  ...bad('spec.vault.auth.resource', 'resource is for the method Azure', {
    'a resource for JWT': auth({ method: 'JWT', resource: 'api://vault' }),
  }),
  ...bad('spec.vault.address', 'method Certificate needs an address that begins with https://', {
    'a certificate for http': {
      vault: { address: 'http://vault:8200', allowPlaintext: true, auth: { method: 'Certificate', secretRef } },
    },
  }),
  ...bad('spec.vault.auth.mountPath', 'write the mount path without auth/ before it', {
    'a mount path with auth/': auth({ mountPath: 'auth/kubernetes' }),
  }),
  ...bad('spec.vault.auth.mountPath', 'without a slash at its ends', {
    'a mount path with a slash after it': auth({ mountPath: 'kubernetes/' }),
    'a mount path with a slash before it': auth({ mountPath: '/kubernetes' }),
  }),
  ...bad('spec.vault.auth.mountPath', 'write a path of letters', {
    'a mount path that climbs': auth({ mountPath: 'a/../sys' }),
    'a mount path with a query': auth({ mountPath: 'kubernetes?x' }),
  }),
  ...bad('spec.vault.auth.role', 'write the name of a Vault role', {
    'a role with a slash': auth({ role: 'team/shop' }),
    'a role with a wildcard': auth({ role: 'shop-*' }),
  }),
  ...bad('spec.vault.auth.audience', 'without spaces', { 'two audiences': auth({ audience: 'vault api' }) }),
  ...bad('spec.vault.auth.tokenExpiration', "write a duration from 10m (the API server's minimum) to 24h", {
    'a token for 9 minutes': auth({ tokenExpiration: '9m59s' }),
    'a token for two days': auth({ tokenExpiration: '48h' }),
    'a token in milliseconds': auth({ tokenExpiration: '700000ms' }),
  }),
];

export const GOOD_LOGINS: Readonly<Record<string, Spec>> = {
  'an audience that is a URL': auth({ audience: 'https://vault.example.com' }),
  'a nested mount path': auth({ mountPath: 'clusters/eu-1/kubernetes' }),
  AppRole: auth({ method: 'AppRole', secretRef }),
  'AppRole with a wrapped secret id of a certain role': auth({
    method: 'AppRole',
    secretRef,
    secretIDWrapped: true,
    role: 'shop',
  }),
  'a certificate': auth({
    method: 'Certificate',
    mountPath: 'pki/cert',
    secretRef,
    role: 'shop',
    secretIDWrapped: false,
  }),
  AWS: auth({ method: 'AWS', type: 'IAM', region: 'us-gov-west-1', headerValue: 'https://vault.example.com' }),
  'GCP, as the pod': auth({ method: 'GCP' }),
  'GCP, as the instance': auth({ method: 'GCP', type: 'GCE', serviceAccount: 'shop@p-1.iam.gserviceaccount.com' }),
  Azure: auth({ method: 'Azure', role: 'shop', resource: 'https://vault.hashicorp.com' }),
  "empty texts for other methods' fields, as templates make them": auth({
    region: '',
    headerValue: '',
    serviceAccount: '',
    resource: '',
  }),
};
