WITH "drawn" AS 
(SELECT CASE WHEN (CAST("logs"."predictions"."written" AS TEXT) = 'true') THEN '1.0000000000000000e+00'::DOUBLE WHEN (CAST("logs"."predictions"."written" AS TEXT) = 'false') THEN '0.0000000000000000e+00'::DOUBLE ELSE TRY_CAST(CAST("logs"."predictions"."written" AS TEXT) AS DOUBLE) END AS "c0", CAST("logs"."predictions"."seats" AS DOUBLE) AS "c1", CAST(CAST("logs"."predictions"."late" AS INTEGER) AS DOUBLE) AS "c2", CASE WHEN (CAST(CAST(get("logs"."predictions"."inputs", 'speed') AS TEXT) AS TEXT) = 'true') THEN '1.0000000000000000e+00'::DOUBLE WHEN (CAST(CAST(get("logs"."predictions"."inputs", 'speed') AS TEXT) AS TEXT) = 'false') THEN '0.0000000000000000e+00'::DOUBLE ELSE TRY_CAST(CAST(CAST(get("logs"."predictions"."inputs", 'speed') AS TEXT) AS TEXT) AS DOUBLE) END AS "c3", CAST(CAST(get(try_parse_json(CAST("logs"."predictions"."document" AS TEXT)), 'class') AS TEXT) AS TEXT) AS "c4", substr(sha2('' || CAST("logs"."predictions"."postcode" AS TEXT) || '', 256), 1, 12) AS "c5", CAST("logs"."predictions"."score" AS DOUBLE) AS "c6", "logs"."predictions"."ts" AS "c7", "logs"."predictions"."id" AS "k0" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::TIMESTAMP_TZ)
 SELECT "drawn"."c0", "drawn"."c1", "drawn"."c2", "drawn"."c3", "drawn"."c4", "drawn"."c5", "drawn"."c6", "drawn"."c7", "newest"."label" 
FROM "drawn" LEFT OUTER JOIN (SELECT "ranked"."k0" AS "k0", "ranked"."label" AS "label" 
FROM (SELECT "labels"."id" AS "k0", "labels"."y" AS "label", row_number() OVER (PARTITION BY "labels"."id" ORDER BY "labels"."known_at" DESC, "labels"."y" IS NULL, collate(CAST("labels"."y" AS TEXT), '') DESC) AS "place" 
FROM "labels" JOIN (SELECT DISTINCT "drawn"."k0" AS "k0" 
FROM "drawn") AS "wanted" ON "labels"."id" = "wanted"."k0" 
WHERE "labels"."known_at" >= '1980-01-01 00:00:00+00:00'::TIMESTAMP_TZ AND "labels"."known_at" < '2200-01-01 00:00:00+00:00'::TIMESTAMP_TZ) AS "ranked" 
WHERE "ranked"."place" = 1) AS "newest" ON "drawn"."k0" = "newest"."k0";

