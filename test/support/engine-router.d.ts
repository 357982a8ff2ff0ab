/** The part of the engine's router that the crawl of the routes listens to. */
declare module 'oidc-provider/lib/helpers/router.js' {
  type Register = (name: string, path: string, ...middleware: readonly unknown[]) => unknown
  const Router: { readonly prototype: Record<'get' | 'post' | 'put' | 'delete' | 'options', Register> }
  export default Router
}
