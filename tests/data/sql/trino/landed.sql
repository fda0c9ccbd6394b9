SELECT "each"."hour", count(*) AS "count_1" 
FROM (SELECT CAST(floor(CAST(CASE WHEN (abs(to_unixtime("landed"."c0")) < 1.0000000000000000e+11) THEN CAST(round(to_unixtime("landed"."c0") * 1.0000000000000000e+06) AS BIGINT) END AS DOUBLE) / CAST(3.6000000000000000e+09 AS DOUBLE)) AS BIGINT) AS "hour" 
FROM (SELECT "said"."c0" AS "c0" 
FROM (SELECT "logs"."predictions"."ts" AS "c0", "logs"."predictions"."id" AS "k0" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP '2013-04-02 21:00:00.250000 UTC' AND "logs"."predictions"."ts" < TIMESTAMP '2013-04-03 00:00:00.250000 UTC') AS "said" JOIN (SELECT DISTINCT "labels"."id" AS "k0" 
FROM "labels" 
WHERE "labels"."known_at" >= TIMESTAMP '2013-04-02 23:00:00.250001 UTC' AND "labels"."known_at" < TIMESTAMP '2013-04-03 00:00:00.250001 UTC') AS "fresh" ON "said"."k0" = "fresh"."k0") AS "landed") AS "each" GROUP BY "each"."hour";

