/** The version of Plumbline, the same as in package.json (held by test/architecture/manifests.test.ts). */
export const PRODUCT_VERSION = '1.0.0';
