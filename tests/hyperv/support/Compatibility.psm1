# What Windows PowerShell 5.1 can't load or does not have, found in a script's syntax tree.
#
#   syntax      each node's and token's kind must exist in the reference assembly of PowerShell 5.1
#   types       each type, and each static member of it, must exist there or in the .NET Framework's assemblies
#   commands    none that came later; no parameter that came later
#   text        ASCII: 5.1 reads a file without a byte order mark in the machine's code page
Set-StrictMode -Version 3.0

Add-Type -TypeDefinition @'
using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
namespace VMirrorTest
{
    // The public types of reference assemblies with the names of their members.
    public sealed class ReferenceTypes
    {
        private readonly Dictionary<string, HashSet<string>> members = new Dictionary<string, HashSet<string>>();
        private readonly Dictionary<string, string> bases = new Dictionary<string, string>();
        public void Load(string path)
        {
            using var pe = new PEReader(File.OpenRead(path));
            if (!pe.HasMetadata) { return; }
            MetadataReader reader = pe.GetMetadataReader();
            foreach (TypeDefinitionHandle handle in reader.TypeDefinitions)
            {
                TypeDefinition type = reader.GetTypeDefinition(handle);
                string name = NameOf(reader, handle);
                if (!members.TryGetValue(name, out HashSet<string> names)) { members[name] = names = new HashSet<string>(); }
                foreach (var method in type.GetMethods()) { names.Add(reader.GetString(reader.GetMethodDefinition(method).Name)); }
                foreach (var field in type.GetFields()) { names.Add(reader.GetString(reader.GetFieldDefinition(field).Name)); }
                foreach (var property in type.GetProperties()) { names.Add(reader.GetString(reader.GetPropertyDefinition(property).Name)); }
                if (type.BaseType.Kind == HandleKind.TypeReference)
                {
                    TypeReference above = reader.GetTypeReference((TypeReferenceHandle)type.BaseType);
                    bases[name] = reader.GetString(above.Namespace) + "." + reader.GetString(above.Name);
                }
                else if (type.BaseType.Kind == HandleKind.TypeDefinition && !type.BaseType.IsNil)
                {
                    bases[name] = NameOf(reader, (TypeDefinitionHandle)type.BaseType);
                }
            }
        }
        private static string NameOf(MetadataReader reader, TypeDefinitionHandle handle)
        {
            TypeDefinition type = reader.GetTypeDefinition(handle);
            if (!type.GetDeclaringType().IsNil)
            {
                return NameOf(reader, type.GetDeclaringType()) + "+" + reader.GetString(type.Name);
            }
            return reader.GetString(type.Namespace) + "." + reader.GetString(type.Name);
        }
        public bool HasType(string name) { return members.ContainsKey(name); }
        public bool HasMember(string name, string member)
        {
            for (string at = name; at != null; at = bases.TryGetValue(at, out string above) ? above : null)
            {
                if (!members.TryGetValue(at, out HashSet<string> names)) { return false; }
                foreach (string one in names)
                {
                    if (string.Equals(one, member, StringComparison.OrdinalIgnoreCase)) { return true; }
                }
            }
            return false;
        }
    }
}
'@

$script:Standard = New-Object 'VMirrorTest.ReferenceTypes'  # PowerShell 5.1 alone: for syntax.
$script:Reference = New-Object 'VMirrorTest.ReferenceTypes'
foreach ($file in Get-ChildItem -Path $env:VMIRROR_STANDARD -Recurse -Filter System.Management.Automation.dll) {
    $script:Standard.Load($file.FullName)
    $script:Reference.Load($file.FullName)
}
foreach ($file in Get-ChildItem -Path "$env:VMIRROR_FRAMEWORK/build/.NETFramework/v4.6.1/*.dll") {
    $script:Reference.Load($file.FullName)
}

$script:LaterCommands = 'ConvertFrom-Markdown', 'Get-Error', 'Get-Uptime', 'Join-String', 'Remove-Alias', 'Remove-Service',
'Show-Markdown', 'Switch-Process', 'Test-Json', 'Get-MarkdownOption', 'ConvertTo-CliXml', 'ConvertFrom-CliXml',
'Start-ThreadJob', 'Get-SecureRandom'

# Parameters that came after 5.1, by command; '*' is every command.
$script:LaterParameters = @{
    '*'                    = @('ProgressAction')
    'ForEach-Object'       = @('Parallel', 'ThrottleLimit', 'TimeoutSeconds', 'AsJob', 'UseNewRunspace')
    'ConvertFrom-Json'     = @('AsHashtable', 'Depth', 'NoEnumerate', 'DateKind')
    'ConvertTo-Json'       = @('AsArray', 'EnumsAsStrings', 'EscapeHandling')
    'Get-Content'          = @('AsByteStream')
    'Set-Content'          = @('AsByteStream')
    'Add-Content'          = @('AsByteStream')
    'Join-Path'            = @('AdditionalChildPath', 'Extension')
    'Split-Path'           = @('LeafBase', 'Extension')
    'Sort-Object'          = @('Stable', 'Top', 'Bottom')
    'Select-Object'        = @('SkipIndex')
    'Select-String'        = @('Raw', 'NoEmphasis', 'Culture')
    'Measure-Object'       = @('AllStats', 'StandardDeviation')
    'Group-Object'         = @()
    'Get-Random'           = @('Shuffle')
    'Out-String'           = @('NoNewline')
    'Get-ChildItem'        = @('FollowSymlink')
    'Import-Module'        = @('SkipEditionCheck', 'UseWindowsPowerShell')
    'Get-Module'           = @('SkipEditionCheck', 'PSEdition')
    'Invoke-RestMethod'    = @('SkipCertificateCheck', 'Authentication', 'Token', 'AllowUnencryptedAuthentication',
        'SslProtocol', 'SkipHttpErrorCheck', 'StatusCodeVariable', 'ResponseHeadersVariable', 'Form', 'NoProxy',
        'CustomMethod', 'FollowRelLink', 'MaximumFollowRelLink', 'MaximumRetryCount', 'RetryIntervalSec', 'Resume',
        'SkipHeaderValidation', 'PreserveAuthorizationOnRedirect', 'HttpVersion', 'ConnectionTimeoutSeconds',
        'OperationTimeoutSeconds', 'UnixSocket')
    'Invoke-WebRequest'    = @('SkipCertificateCheck', 'Authentication', 'Token', 'AllowUnencryptedAuthentication',
        'SslProtocol', 'SkipHttpErrorCheck', 'Form', 'NoProxy', 'CustomMethod', 'MaximumRetryCount', 'RetryIntervalSec',
        'Resume', 'SkipHeaderValidation', 'PreserveAuthorizationOnRedirect', 'HttpVersion')
    'Start-Job'            = @('WorkingDirectory')
    'Start-Process'        = @('Environment')
    'Stop-Computer'        = @('DcomAuthentication')
    'Test-Connection'      = @('Ping', 'TcpPort', 'Traceroute', 'MtuSize', 'TargetName', 'IPv4', 'IPv6')
    'Add-Type'             = @('CompilerOptions')
    'New-Service'          = @('SecurityDescriptorSddl')
    'Get-Date'             = @('AsUTC', 'UnixTimeSeconds', 'FormatAsUtc')
    'ConvertFrom-SecureString' = @('AsPlainText')
    'Remove-Item'          = @()
    'New-Guid'             = @('Empty', 'InputObject')
    'Write-Information'    = @()
}
$script:LaterVariables = 'IsWindows', 'IsLinux', 'IsMacOS', 'IsCoreCLR', 'PSStyle', 'PSNativeCommandUseErrorActionPreference',
'PSNativeCommandArgumentPassing', 'EnabledExperimentalFeatures'
# -Encoding takes these from 6 on.
$script:LaterEncodings = 'utf8NoBOM', 'utf8BOM', 'ansi', 'bigendianutf32'

# A script's text -> what 5.1 would stumble over, as texts "line N: ...".
function Get-CompatibilityFinding {
    param([AllowEmptyString()] [string] $Text)
    $tokens = $null
    $problems = $null
    $tree = [System.Management.Automation.Language.Parser]::ParseInput($Text, [ref]$tokens, [ref]$problems)
    foreach ($problem in $problems) { "line $($problem.Extent.StartLineNumber): $($problem.Message)" }
    $number = 0
    foreach ($line in $Text -split "`n") {
        $number++
        if ($line -match '[^\x00-\x7f]') { "line ${number}: a character that is not ASCII" }
    }
    $kinds = 'System.Management.Automation.Language.TokenKind'
    foreach ($token in $tokens) {
        if ("$($token.Kind)" -eq 'Default') { continue }  # `default` of a switch: 5.1 reads it, as a plain word.
        if (-not $script:Standard.HasMember($kinds, "$($token.Kind)")) {
            "line $($token.Extent.StartLineNumber): the operator or keyword '$($token.Text)' ($($token.Kind))"
        }
    }
    foreach ($node in $tree.FindAll({ $true }, $true)) {
        foreach ($finding in Get-NodeFinding $node) { "line $($node.Extent.StartLineNumber): $finding" }
    }
}

function Get-NodeFinding {
    param($Node)
    $kind = $Node.GetType()
    if (-not $script:Standard.HasType($kind.FullName)) { "syntax $($kind.Name): $($Node.Extent.Text)" }
    # Nodes that are there in 5.1 with a property that is not: $a?.b, $a?[0], clean {}, cmd &.
    foreach ($property in 'NullConditional', 'Background', 'CleanBlock') {
        $later = $kind.GetProperty($property)
        if ($later -and $later.GetValue($Node) -and -not $script:Standard.HasMember($kind.FullName, $property)) {
            "syntax $($property): $($Node.Extent.Text)"
        }
    }
    switch ($kind.Name) {
        'TypeExpressionAst' { Get-TypeFinding $Node.TypeName }
        'TypeConstraintAst' { Get-TypeFinding $Node.TypeName }
        'VariableExpressionAst' {
            if ($script:LaterVariables -contains $Node.VariablePath.UserPath) { "the variable `$$($Node.VariablePath.UserPath)" }
        }
        { $_ -in 'MemberExpressionAst', 'InvokeMemberExpressionAst' } {
            if ($Node.Static -and $Node.Expression -is [System.Management.Automation.Language.TypeExpressionAst]) {
                $type = $Node.Expression.TypeName.GetReflectionType()
                $member = "$($Node.Member.Value)"
                if ($type -and $member -ne 'new' -and $script:Reference.HasType($type.FullName) -and
                    -not $script:Reference.HasMember($type.FullName, $member)) { "[$($type.FullName)]::$member" }
            }
        }
        'CommandAst' { Get-CommandFinding $Node }
    }
}

function Get-TypeFinding {
    param($TypeName)
    $type = $TypeName.GetReflectionType()
    if ($null -eq $type) {
        # What the module itself compiles is not there yet.
        if ($TypeName.FullName -notlike 'VMirror.*') { "the type [$($TypeName.FullName)]" }
        return
    }
    while ($type.HasElementType) { $type = $type.GetElementType() }
    if ($type.IsGenericType) {
        foreach ($argument in $type.GetGenericArguments()) {
            if (-not $script:Reference.HasType($argument.FullName)) { "the type [$($argument.FullName)]" }
        }
        $type = $type.GetGenericTypeDefinition()
    }
    if (-not $script:Reference.HasType($type.FullName)) { "the type [$($type.FullName)]" }
}

function Get-CommandFinding {
    param($Command)
    $name = $Command.GetCommandName()
    if (-not $name) { return }
    if ($script:LaterCommands -contains $name) { "the command $name" }
    $later = @($script:LaterParameters['*']) + @($script:LaterParameters[$name])
    $elements = @($Command.CommandElements)
    for ($i = 1; $i -lt $elements.Count; $i++) {
        if ($elements[$i] -isnot [System.Management.Automation.Language.CommandParameterAst]) { continue }
        $parameter = $elements[$i].ParameterName
        foreach ($one in $later) { if ($one -and $one -like "$parameter*") { "the parameter -$parameter of $name" } }
        if ($parameter -eq 'Encoding' -and $i + 1 -lt $elements.Count -and
            $script:LaterEncodings -contains $elements[$i + 1].Extent.Text.Trim("'", '"')) {
            "the encoding $($elements[$i + 1].Extent.Text)"
        }
    }
    # Join-Path of 5.1 takes two places.
    if ($name -eq 'Join-Path') {
        $values = @($elements | Select-Object -Skip 1 |
                Where-Object { $_ -isnot [System.Management.Automation.Language.CommandParameterAst] })
        if ($values.Count -gt 2) { 'a third path of Join-Path' }
    }
    if ($name -eq 'New-Object') {
        $first = @($elements | Select-Object -Skip 1 |
                Where-Object { $_ -is [System.Management.Automation.Language.StringConstantExpressionAst] })[0]
        if ($first -and $first.Value -notlike 'VMirror.*') {
            $type = $first.Value -as [type]
            if ($null -eq $type) { "the type $($first.Value)" }
            else {
                while ($type.HasElementType) { $type = $type.GetElementType() }
                if ($type.IsGenericType) { $type = $type.GetGenericTypeDefinition() }
                if (-not $script:Reference.HasType($type.FullName)) { "the type $($type.FullName)" }
            }
        }
    }
}

Export-ModuleMember -Function Get-CompatibilityFinding
