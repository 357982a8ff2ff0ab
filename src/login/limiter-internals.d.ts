/** The base class for stores: typed by the package as an export of its index, which it is not. */
declare module 'rate-limiter-flexible/lib/RateLimiterStoreAbstract.js' {
  import type { IRateLimiterStoreOptions, RateLimiterAbstract } from 'rate-limiter-flexible'
  export default class RateLimiterStoreAbstract extends RateLimiterAbstract {
    constructor(options: IRateLimiterStoreOptions)
  }
}
