/** The shapes of the engine's inner modules that `sm.ts`, and nothing else, reaches into. */

declare module 'oidc-provider/lib/consts/jwa.js' {
  const lists: Readonly<Record<string, string[]>>
  export = lists
}

declare module 'oidc-provider/lib/helpers/keystore.js' {
  interface Selector {
    readonly alg: string
    readonly kid?: string
    readonly kty?: string
    readonly crv?: string
  }
  interface KeyLike {
    readonly kty: string
    readonly crv?: string
  }
  export default class KeyStore {
    add(key: object): void
    clear(): void
    getKeyObject(entry: object, getPublic?: boolean): object
    selectForSign(options: Selector): KeyLike[]
    selectForVerify(options: Selector): KeyLike[]
    selectForEncrypt(options: Selector): KeyLike[]
    selectForDecrypt(options: Selector): KeyLike[]
  }
}

declare module 'oidc-provider/lib/helpers/weak_cache.js' {
  import type Provider from 'oidc-provider'
  import type KeyStore from 'oidc-provider/lib/helpers/keystore.js'
  interface Instance {
    readonly keystore: KeyStore
    readonly jwks: { readonly keys: object[] }
    readonly configuration: Record<string, unknown> & { readonly clientAuthMethods: Set<string> }
  }
  export default function instance(provider: Provider): Instance
}
