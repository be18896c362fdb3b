/**
 * Short words in capitals: points and abbreviations (ABC, GCD), which are of no language, or
 * English in capitals ("WE ADD SIX"). One alone cannot tell: SIX may be a triangle. A stretch is the text
 * between letters of other scripts, of Hangul above all. In it all such words are English when
 *
 *   two different ones of them are common English words, which no point or abbreviation is usually named, or
 *   one is, and three short words in capitals follow each other with only spaces between them.
 */

/** Two to four capitals, no part of a longer word. */
const SHORT = /(?<!\p{Script=Latin})[A-Z]{2,4}(?!\p{Script=Latin})/gu
const ROW = /(?<!\p{Script=Latin})[A-Z]{2,4}(?:[ \t]+[A-Z]{2,4}){2}(?!\p{Script=Latin})/u
const STRETCH = /(?:\P{L}|\p{Script=Latin})+/gu

/**
 * What short English sentences are made of. Not among them: what names points (AM, BE, ON, SO), gates (AND,
 * OR, NOT), functions of tables (IF, SUM, MAX) or units.
 */
const ENGLISH: ReadonlySet<string> = new Set(
  [
    'WE IT IS TO BY MY UP THE THIS THAT THEN THUS THEY THEM SHE HIS HER YOU YOUR OUR ITS',
    'ARE WAS WERE HAS HAVE HAD WILL CAN MUST MAY DOES FOR FROM WITH INTO OVER BUT ALL EACH BOTH',
    'WHEN WHAT HOW WHY NOW NEXT LAST ALSO ONLY SAME SOME MORE LESS MANY MUCH THAN HERE HALF LEFT',
    'ADD ADDS GET GETS GOT GIVE GAVE TAKE TOOK MAKE MADE NEED FIND KNOW LET LETS USE HOLD KEEP EAT',
    'ZERO ONE TWO FOUR FIVE SIX NINE TEN PLUS TIME DAY DAYS WEEK YEAR HOUR',
  ].flatMap(line => line.split(' ')),
)

/** `text` with a blank for every short word in capitals but those of English. */
export function withoutAbbreviations(text: string): string {
  return text.replace(STRETCH, stretch => {
    const common = new Set(
      [...stretch.matchAll(SHORT)].flatMap(([word]) => (ENGLISH.has(word) ? word : [])),
    )
    const english = common.size > 1 || (common.size === 1 && ROW.test(stretch))
    return english ? stretch : stretch.replace(SHORT, ' ')
  })
}
