/**
 * The label of injected templates, by which `kubectl get pods -l` selects the pods of a policy, or of all. It is for
 * people: nothing that the operator does goes by it. A label of that key that a user has written stays the user's. Pure.
 */
import { shortHash } from '../hash.ts';
import { asList, asObject, asString, without } from '../json.ts';
import type { RawObject } from '../json.ts';
import { annotation, ANNOTATION_PREFIX } from './annotations.ts';
import { diff } from './patch.ts';
import { annotationsOf, labelsOf, withLabels } from './pod.ts';

/** Not to be confused with the annotation of the same key, by which a user chooses a policy. */
export const POLICY_LABEL = `${ANNOTATION_PREFIX}policy`;

// LabelValueMaxLength of k8s.io/apimachinery/pkg/util/validation; the name of an object may have 253.
const LONGEST_VALUE = 63;

/** Returns the name of the policy, which is a valid value unless it is too long: then its beginning and a hash of it. */
export function labelValue(policyName: string): string {
  if (policyName.length <= LONGEST_VALUE) return policyName;
  const suffix = `-${shortHash(policyName)}`;
  return `${policyName.slice(0, LONGEST_VALUE - suffix.length)}${suffix}`;
}

/** Whether the template has a label of that key, whatever its value. */
export function hasPolicyLabel(template: RawObject | undefined): boolean {
  return labelsOf(template)?.[POLICY_LABEL] !== undefined;
}

/** Whether the workload's own selector names the label: neither adding nor removing one may break that. */
export function isSelectedByLabel(workload: RawObject): boolean {
  const selector = asObject(asObject(workload.spec)?.selector);
  const expressions = asList(selector?.matchExpressions) ?? [];
  return (
    asObject(selector?.matchLabels)?.[POLICY_LABEL] !== undefined ||
    expressions.some((expression) => asObject(expression)?.key === POLICY_LABEL)
  );
}

/**
 * Returns an injected template with the label, unless it has one. What was injected before there was the label gets it
 * when something else of the template changes: the label alone is no reason to replace pods.
 *
 * @param stored the template as it is stored now
 */
export function withPolicyLabel(injected: RawObject, policyName: string, stored: RawObject | undefined): RawObject {
  const labels = asObject(injected.metadata)?.labels;
  if (labels !== undefined && asObject(labels) === undefined) return injected;
  if (hasPolicyLabel(injected) || (isWithoutLabel(stored) && diff(stored, injected, '').length === 0)) return injected;
  return withLabels(injected, { ...labelsOf(injected), [POLICY_LABEL]: labelValue(policyName) });
}

/**
 * Returns a template with traces of injection without the label: it is ours unless what injected the template would have
 * written another value.
 */
export function withoutPolicyLabel(template: RawObject): RawObject {
  const labels = labelsOf(template);
  const value = asString(labels?.[POLICY_LABEL]);
  if (labels === undefined || value === undefined) return template;
  const injectedBy = /^([^/]+)\/\d{1,18}\/[^/]+$/.exec(asString(annotationsOf(template)?.[annotation.injected]) ?? '');
  if (injectedBy !== null && value !== labelValue(injectedBy[1] ?? '')) return template;
  const kept = without(labels, POLICY_LABEL);
  return withLabels(template, Object.keys(kept).length > 0 ? kept : undefined);
}

/** Whether a template is injected without the label, by an operator that did not know it, or since somebody removed it. */
function isWithoutLabel(template: RawObject | undefined): boolean {
  return annotationsOf(template)?.[annotation.injected] !== undefined && !hasPolicyLabel(template);
}
