SELECT 1 AS "one" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP '2013-04-01 10:00:00 UTC' AND "logs"."predictions"."ts" < TIMESTAMP '2013-04-01 13:00:00 UTC' AND json_extract_scalar(element_at(TRY_CAST((element_at(TRY_CAST(("logs"."predictions"."inputs") AS MAP(VARCHAR, JSON)), 'home')) AS MAP(VARCHAR, JSON)), 'postcode'), '$') IS NOT NULL
LIMIT 1;

SELECT 1 AS "one" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP '2013-04-01 10:00:00 UTC' AND "logs"."predictions"."ts" < TIMESTAMP '2013-04-01 13:00:00 UTC' AND "logs"."predictions"."inputs" IS NOT NULL
LIMIT 1;

SELECT 1 AS "one" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP '2013-04-01 10:00:00 UTC' AND "logs"."predictions"."ts" < TIMESTAMP '2013-04-01 13:00:00 UTC' AND json_extract_scalar(element_at(TRY_CAST((try(json_parse(CAST("logs"."predictions"."document" AS VARCHAR)))) AS MAP(VARCHAR, JSON)), 'email'), '$') IS NOT NULL
LIMIT 1;

SELECT 1 AS "one" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP '2013-04-01 10:00:00 UTC' AND "logs"."predictions"."ts" < TIMESTAMP '2013-04-01 13:00:00 UTC' AND "logs"."predictions"."document" IS NOT NULL
LIMIT 1;

SELECT count(*) AS "count_1" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP '2013-04-01 10:00:00 UTC' AND "logs"."predictions"."ts" < TIMESTAMP '2013-04-01 13:00:00 UTC';

WITH "drawn" AS 
(SELECT CAST("logs"."predictions"."naive" AS VARCHAR) AS "c0", CAST("logs"."predictions"."day" AS VARCHAR) AS "c1", CAST("logs"."predictions"."zulu" AS VARCHAR) AS "c2", CAST("logs"."predictions"."mixed" AS VARCHAR) AS "c3", CAST("logs"."predictions"."version" AS VARCHAR) AS "c4", CAST("logs"."predictions"."distance" AS DOUBLE) AS "c5", CAST("logs"."predictions"."seats" AS DOUBLE) AS "c6", CAST("logs"."predictions"."written" AS VARCHAR) AS "c7", CAST("logs"."predictions"."carrier" AS VARCHAR) AS "c8", CAST("logs"."predictions"."late" AS VARCHAR) AS "c9", CAST("logs"."predictions"."postcode" AS VARCHAR) AS "c10", json_format(CAST(transform_values(TRY_CAST((try(json_parse(CAST(json_format("logs"."predictions"."inputs") AS VARCHAR)))) AS MAP(VARCHAR, JSON)), (k1, v1) -> CASE WHEN (k1 = 'home') THEN CAST(map_filter(TRY_CAST((v1) AS MAP(VARCHAR, JSON)), (k0, v0) -> k0 != 'postcode') AS JSON) ELSE v1 END) AS JSON)) AS "c11", json_format(CAST(map_filter(TRY_CAST((try(json_parse(CAST(CAST("logs"."predictions"."document" AS VARCHAR) AS VARCHAR)))) AS MAP(VARCHAR, JSON)), (k0, v0) -> k0 != 'email') AS JSON)) AS "c12", CAST("logs"."predictions"."we""ird`\; -- drop" AS VARCHAR) AS "c13", CAST(("logs"."predictions"."nested" . "in") . "we""ird`\; -- drop" AS VARCHAR) AS "c14", "logs"."predictions"."ts" AS "c15", lower(to_hex(md5(to_utf8('0' || '' || coalesce(CAST("logs"."predictions"."id" AS VARCHAR), ''))))) AS "lot" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP '2013-04-01 10:00:00 UTC' AND "logs"."predictions"."ts" < TIMESTAMP '2013-04-01 13:00:00 UTC' ORDER BY "lot", "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11", "c12", "c13", "c14", "c15"
LIMIT 1000)
 SELECT "drawn"."c0", "drawn"."c1", "drawn"."c2", "drawn"."c3", "drawn"."c4", "drawn"."c5", "drawn"."c6", "drawn"."c7", "drawn"."c8", "drawn"."c9", "drawn"."c10", "drawn"."c11", "drawn"."c12", "drawn"."c13", "drawn"."c14", "drawn"."c15" 
FROM "drawn" ORDER BY "drawn"."lot", "drawn"."c0", "drawn"."c1", "drawn"."c2", "drawn"."c3", "drawn"."c4", "drawn"."c5", "drawn"."c6", "drawn"."c7", "drawn"."c8", "drawn"."c9", "drawn"."c10", "drawn"."c11", "drawn"."c12", "drawn"."c13", "drawn"."c14", "drawn"."c15";

