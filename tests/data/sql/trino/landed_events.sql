SELECT "each"."hour", count(*) AS "count_1" 
FROM (SELECT CAST(floor(CAST(CAST(round(to_unixtime(with_timezone("landed"."c0", 'UTC')) * 1.0000000000000000e+06) AS BIGINT) AS DOUBLE) / CAST(3.6000000000000000e+09 AS DOUBLE)) AS BIGINT) AS "hour" 
FROM (SELECT "known"."c0" AS "c0" 
FROM (SELECT "said"."c0" AS "c0" 
FROM (SELECT "logs"."predictions"."naive" AS "c0", "logs"."predictions"."id" AS "k0", CAST(round(to_unixtime(with_timezone("logs"."predictions"."naive", 'UTC')) * 1.0000000000000000e+06) AS BIGINT) AS "moment" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."naive" >= TIMESTAMP '2013-04-02 21:00:00.250000' AND "logs"."predictions"."naive" < TIMESTAMP '2013-04-03 00:00:00.250000' AND NOT ("logs"."predictions"."naive" >= TIMESTAMP '2013-04-02 21:00:00.250001' AND "logs"."predictions"."naive" < TIMESTAMP '2013-04-02 22:00:00.250001')) AS "said" JOIN (SELECT "labels"."id" AS "k0", CAST(round(to_unixtime("labels"."known_at") * 1.0000000000000000e+06) AS BIGINT) AS "moment", max(CAST(round(to_unixtime("labels"."known_at") * 1.0000000000000000e+06) AS BIGINT)) OVER (PARTITION BY "labels"."id" ORDER BY CAST(round(to_unixtime("labels"."known_at") * 1.0000000000000000e+06) AS BIGINT) ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS "before" 
FROM "labels" 
WHERE "labels"."zulu" >= '2013-04-02T23' AND TRIM(TRAILING 'Zz' FROM "labels"."zulu") >= '2013-04-02T23:00:00.250001' AND TRIM(TRAILING 'Zz' FROM "labels"."zulu") < '2013-04-03T00:00:00.250001') AS "fresh" ON "said"."k0" = "fresh"."k0" 
WHERE "fresh"."moment" >= "said"."moment" AND "fresh"."moment" - "said"."moment" <= 3600000000 AND ("fresh"."before" IS NULL OR "said"."moment" > "fresh"."before") UNION ALL SELECT "logs"."predictions"."naive" AS "c0" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."naive" >= TIMESTAMP '2013-04-02 21:00:00.250001' AND "logs"."predictions"."naive" < TIMESTAMP '2013-04-02 22:00:00.250001') AS "known") AS "landed") AS "each" GROUP BY "each"."hour";

