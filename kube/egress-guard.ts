/**
 * Addresses to which nobody but the platform may lead the operator. The author of a Deployment chooses the registry
 * that it connects to, and the author of a policy the Vault; from there, loopback is the operator itself, and link-local
 * addresses are where clouds hand out credentials. Private networks stay open: they host the registries and Vaults of
 * clusters.
 */
import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress, LookupOptions } from 'node:dns';
import { BlockList, isIP } from 'node:net';

const BLOCKED = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8], // "this host": Linux connects it to loopback
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // link-local: metadata of AWS, Azure, Google, OpenStack and most others
  ['192.0.0.0', 24], // RFC 6890, protocol assignments: metadata of Oracle
  ['224.0.0.0', 3], // multicast, reserved, broadcast
  ['100.100.100.200', 32], // metadata of Alibaba
  ['168.63.129.16', 32], // WireServer of Azure
] as const) {
  BLOCKED.addSubnet(network, bits, 'ipv4');
}
for (const [network, bits] of [
  ['::', 96], // unspecified, loopback, and IPv4-compatible addresses (RFC 4291, 2.5.5.1), which nobody uses any more
  ['64:ff9b:1::', 48], // NAT64 by prefixes of one's own (RFC 8215): which address it leads to depends on the gateway
  ['100::', 64], // RFC 6666, discarded
  ['2001::', 32], // Teredo (RFC 4380): through a server of the sender's choice
  ['2002::', 16], // 6to4 (RFC 3056): through a relay, to the IPv4 address inside
  ['fe80::', 10], // link-local
  ['fec0::', 10], // site-local, before RFC 3879
  ['ff00::', 8], // multicast
  ['fd00:ec2::', 32], // metadata of AWS
  ['fd20:ce::', 32], // metadata of Google
  ['fd00:c1::', 32], // metadata of Oracle
] as const) {
  BLOCKED.addSubnet(network, bits, 'ipv6');
}

/**
 * Whether `host`, as in URL.hostname, is such an address, also inside of an IPv6 address. False for a name, which is
 * judged by its addresses on connect.
 */
export function isBlockedAddress(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, '');
  const family = isIP(address);
  if (family === 0) return false;
  if (family === 4) return BLOCKED.check(address, 'ipv4');
  if (address.includes('%')) return true; // a zone: link-local
  const inside = embeddedIn(groupsOf(address));
  return inside === undefined ? BLOCKED.check(address, 'ipv6') : BLOCKED.check(inside, 'ipv4');
}

/** Returns the IPv4 address that an IPv6 address stands for where both lead to the same host. */
function embeddedIn(groups: readonly number[]): string | undefined {
  const startsWith = (...prefix: readonly number[]): boolean => prefix.every((group, at) => groups[at] === group);
  const isEmbedded =
    startsWith(0, 0, 0, 0, 0, 0xffff) || // IPv4-mapped
    startsWith(0, 0, 0, 0, 0xffff, 0) || // IPv4-translated (RFC 2765)
    startsWith(0x64, 0xff9b, 0, 0, 0, 0) || // NAT64 (RFC 6052), the only way out of some IPv6 networks
    (groups[5] === 0x5efe && (groups[4] === 0 || groups[4] === 0x200)); // ISATAP (RFC 5214)
  if (!isEmbedded) return undefined;
  return groups
    .slice(6)
    .flatMap((group) => [group >> 8, group & 0xff])
    .join('.');
}

/** Returns the eight groups of 16 bits. */
function groupsOf(address: string): readonly number[] {
  // URL writes IPv4 parts as hexadecimal groups
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const numbers = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  const [first, last] = [numbers(head), numbers(tail ?? '')];
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
}

/** The code of the error for a name that resolves only to such addresses. */
export const BLOCKED_ADDRESS = 'EBLOCKEDADDRESS';

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;
type Resolve = (host: string, options: LookupOptions & { all: true }, callback: AllCallback) => void;
type AllCallback = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/**
 * dns.lookup without those addresses. The socket itself uses it, so that it connects to the addresses that were judged:
 * a name that resolves differently the second time gains nothing.
 */
export function guardedLookup(
  resolve: Resolve = systemLookup,
): (host: string, options: LookupOptions, callback: LookupCallback) => void {
  return (host, options, callback) =>
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, []);
        return;
      }
      const open = addresses.filter(({ address }) => !isBlockedAddress(address));
      const [first] = open;
      if (first === undefined) callback(Object.assign(new Error('a blocked address'), { code: BLOCKED_ADDRESS }), []);
      else if (options.all === true) callback(null, open);
      else callback(null, first.address, first.family);
    });
}
