// VitePress looks for its configuration here. The rest of it is TypeScript, linted and tested like the project's, which
// Node.js imports by itself: what VitePress brings for that does not know the project's language level.
const { siteConfig, surroundings } = await import(new URL('../config.ts', import.meta.url).href);

export default siteConfig(surroundings(process.env));
