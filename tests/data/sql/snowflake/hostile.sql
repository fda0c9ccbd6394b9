WITH "drawn" AS 
(SELECT CAST("logs"."predictions"."we""ird`\; -- drop" AS TEXT) AS "c0", CAST(CAST(get(get("logs"."predictions"."inputs", 'it''s a'), '"key"\\') AS TEXT) AS TEXT) AS "c1", CASE WHEN (CAST(CAST(get(get(try_parse_json(CAST("logs"."predictions"."document" AS TEXT)), 'it''s a'), '"key"\\') AS TEXT) AS TEXT) = 'true') THEN '1.0000000000000000e+00'::DOUBLE WHEN (CAST(CAST(get(get(try_parse_json(CAST("logs"."predictions"."document" AS TEXT)), 'it''s a'), '"key"\\') AS TEXT) AS TEXT) = 'false') THEN '0.0000000000000000e+00'::DOUBLE ELSE TRY_CAST(CAST(CAST(get(get(try_parse_json(CAST("logs"."predictions"."document" AS TEXT)), 'it''s a'), '"key"\\') AS TEXT) AS TEXT) AS DOUBLE) END AS "c2", CAST("logs"."predictions"."score" AS DOUBLE) AS "c3", "logs"."predictions"."ts" AS "c4", "logs"."predictions"."id" AS "k0" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::TIMESTAMP_TZ)
 SELECT "drawn"."c0", "drawn"."c1", "drawn"."c2", "drawn"."c3", "drawn"."c4", "newest"."label" 
FROM "drawn" LEFT OUTER JOIN (SELECT "ranked"."k0" AS "k0", "ranked"."label" AS "label" 
FROM (SELECT "labels"."id" AS "k0", "labels"."y" AS "label", row_number() OVER (PARTITION BY "labels"."id" ORDER BY "labels"."known_at" DESC, "labels"."y" IS NULL, collate(CAST("labels"."y" AS TEXT), '') DESC) AS "place" 
FROM "labels" JOIN (SELECT DISTINCT "drawn"."k0" AS "k0" 
FROM "drawn") AS "wanted" ON "labels"."id" = "wanted"."k0" 
WHERE "labels"."known_at" >= '1980-01-01 00:00:00+00:00'::TIMESTAMP_TZ AND "labels"."known_at" < '2200-01-01 00:00:00+00:00'::TIMESTAMP_TZ) AS "ranked" 
WHERE "ranked"."place" = 1) AS "newest" ON "drawn"."k0" = "newest"."k0";

