/** The page of the API reference, its names, and what is wrong with what it shows. */
export function apiReference(): { page: string; names: string[]; warnings: string[] }
