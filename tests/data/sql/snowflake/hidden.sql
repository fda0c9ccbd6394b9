SELECT 1 AS "one" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::TIMESTAMP_TZ AND CAST(get(get("logs"."predictions"."inputs", 'home'), 'postcode') AS TEXT) IS NOT NULL
 LIMIT 1;

SELECT 1 AS "one" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."inputs" IS NOT NULL
 LIMIT 1;

SELECT 1 AS "one" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::TIMESTAMP_TZ AND CAST(get(try_parse_json(CAST("logs"."predictions"."document" AS TEXT)), 'email') AS TEXT) IS NOT NULL
 LIMIT 1;

SELECT 1 AS "one" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."document" IS NOT NULL
 LIMIT 1;

SELECT count(*) AS "count_1" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::TIMESTAMP_TZ;

WITH "drawn" AS 
(SELECT CAST("logs"."predictions"."naive" AS TEXT) AS "c0", CAST("logs"."predictions"."day" AS TEXT) AS "c1", CAST("logs"."predictions"."zulu" AS TEXT) AS "c2", CAST("logs"."predictions"."mixed" AS TEXT) AS "c3", CAST("logs"."predictions"."version" AS TEXT) AS "c4", CAST("logs"."predictions"."distance" AS DOUBLE) AS "c5", CAST("logs"."predictions"."seats" AS DOUBLE) AS "c6", CAST("logs"."predictions"."written" AS TEXT) AS "c7", CAST("logs"."predictions"."carrier" AS TEXT) AS "c8", CAST("logs"."predictions"."late" AS TEXT) AS "c9", CAST("logs"."predictions"."postcode" AS TEXT) AS "c10", to_json(object_insert(as_object(try_parse_json(CAST(CAST("logs"."predictions"."inputs" AS TEXT) AS TEXT))), 'home', to_variant(object_delete(as_object(get(as_object(try_parse_json(CAST(CAST("logs"."predictions"."inputs" AS TEXT) AS TEXT))), 'home')), 'postcode')), TRUE)) AS "c11", to_json(object_delete(as_object(try_parse_json(CAST(CAST("logs"."predictions"."document" AS TEXT) AS TEXT))), 'email')) AS "c12", CAST("logs"."predictions"."we""ird`\; -- drop" AS TEXT) AS "c13", "logs"."predictions"."ts" AS "c14", collate(md5('0' || '' || coalesce(CAST("logs"."predictions"."id" AS TEXT), '')), '') AS "lot" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::TIMESTAMP_TZ ORDER BY "lot", "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11", "c12", "c13", "c14"
 LIMIT 1000)
 SELECT "drawn"."c0", "drawn"."c1", "drawn"."c2", "drawn"."c3", "drawn"."c4", "drawn"."c5", "drawn"."c6", "drawn"."c7", "drawn"."c8", "drawn"."c9", "drawn"."c10", "drawn"."c11", "drawn"."c12", "drawn"."c13", "drawn"."c14" 
FROM "drawn" ORDER BY "drawn"."lot", "drawn"."c0", "drawn"."c1", "drawn"."c2", "drawn"."c3", "drawn"."c4", "drawn"."c5", "drawn"."c6", "drawn"."c7", "drawn"."c8", "drawn"."c9", "drawn"."c10", "drawn"."c11", "drawn"."c12", "drawn"."c13", "drawn"."c14";

