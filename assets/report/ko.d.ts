/** The page's Korean, by its English; for the tests. */
export declare const KOREAN: Record<string, string>
