SELECT 1 AS "one" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::timestamptz AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::timestamptz AND json_extract_path_text(json_serialize("logs"."predictions"."inputs"), 'home', 'postcode', TRUE) IS NOT NULL 
 LIMIT 1;

SELECT 1 AS "one" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::timestamptz AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::timestamptz AND "logs"."predictions"."inputs" IS NOT NULL 
 LIMIT 1;

SELECT 1 AS "one" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::timestamptz AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::timestamptz AND json_extract_path_text(CAST("logs"."predictions"."document" AS VARCHAR(65535)), 'email', TRUE) IS NOT NULL 
 LIMIT 1;

SELECT 1 AS "one" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::timestamptz AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::timestamptz AND "logs"."predictions"."document" IS NOT NULL 
 LIMIT 1;

SELECT count(*) AS "count_1" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::timestamptz AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::timestamptz;

WITH "drawn" AS 
(SELECT CAST("logs"."predictions"."naive" AS VARCHAR(65535)) AS "c0", CAST("logs"."predictions"."day" AS VARCHAR(65535)) AS "c1", CAST("logs"."predictions"."zulu" AS VARCHAR(65535)) AS "c2", CAST("logs"."predictions"."mixed" AS VARCHAR(65535)) AS "c3", CAST("logs"."predictions"."version" AS VARCHAR(65535)) AS "c4", CAST("logs"."predictions"."distance" AS DOUBLE PRECISION) AS "c5", CAST("logs"."predictions"."seats" AS DOUBLE PRECISION) AS "c6", CAST("logs"."predictions"."written" AS VARCHAR(65535)) AS "c7", CAST("logs"."predictions"."carrier" AS VARCHAR(65535)) AS "c8", CASE WHEN "logs"."predictions"."late" THEN 'true' WHEN (NOT "logs"."predictions"."late") THEN 'false' END AS "c9", CAST("logs"."predictions"."postcode" AS VARCHAR(65535)) AS "c10", CAST(NULL AS VARCHAR(65535)) AS "c11", CAST(NULL AS VARCHAR(65535)) AS "c12", CAST("logs"."predictions"."we""ird`\; -- drop" AS VARCHAR(65535)) AS "c13", "logs"."predictions"."ts" AS "c14", md5('0' || '' || coalesce(CAST("logs"."predictions"."id" AS VARCHAR(65535)), '')) AS "lot" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::timestamptz AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::timestamptz ORDER BY "lot", "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11", "c12", "c13", "c14" 
 LIMIT 1000)
 SELECT "drawn"."c0", "drawn"."c1", "drawn"."c2", "drawn"."c3", "drawn"."c4", "drawn"."c5", "drawn"."c6", "drawn"."c7", "drawn"."c8", "drawn"."c9", "drawn"."c10", "drawn"."c11", "drawn"."c12", "drawn"."c13", "drawn"."c14" 
FROM "drawn" ORDER BY "drawn"."lot", "drawn"."c0", "drawn"."c1", "drawn"."c2", "drawn"."c3", "drawn"."c4", "drawn"."c5", "drawn"."c6", "drawn"."c7", "drawn"."c8", "drawn"."c9", "drawn"."c10", "drawn"."c11", "drawn"."c12", "drawn"."c13", "drawn"."c14";

