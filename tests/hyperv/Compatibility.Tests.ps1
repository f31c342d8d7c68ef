# at least: 45 tests
# Nothing that Windows PowerShell 5.1 can't load; and the list that refuses it does refuse.
BeforeDiscovery {
    $module = Join-Path $PSScriptRoot '../../hyperv/VMirror'
    $scripts = @(Get-ChildItem -Path $module -Recurse -Include *.ps1, *.psm1, *.psd1 | ForEach-Object {
            @{ File = $_.FullName; Name = $_.Name }
        })
    $later = @(
        @{ Text = '$x ? 1 : 2'; Finds = '*TernaryExpressionAst*' }
        @{ Text = '$x ?? 1'; Finds = '*QuestionQuestion*' }
        @{ Text = '$x ??= 1'; Finds = '*QuestionQuestionEquals*' }
        @{ Text = 'Get-Item a && Get-Item b'; Finds = '*PipelineChainAst*' }
        @{ Text = 'Get-Item a || Get-Item b'; Finds = '*PipelineChainAst*' }
        @{ Text = '${x}?.Length'; Finds = '*NullConditional*' }
        @{ Text = '${x}?[0]'; Finds = '*NullConditional*' }
        @{ Text = 'function f { process { 1 } clean { 2 } }'; Finds = '*CleanBlock*' }
        @{ Text = 'Get-Item a &'; Finds = '*Background*' }
        @{ Text = '1..3 | ForEach-Object -Parallel { $_ }'; Finds = '*-Parallel*' }
        @{ Text = 'ConvertFrom-Json $x -AsHashtable'; Finds = '*-AsHashtable*' }
        @{ Text = 'ConvertFrom-Json $x -AsH'; Finds = '*-AsH *' }
        @{ Text = 'Invoke-RestMethod $u -SkipCertificateCheck'; Finds = '*-SkipCertificateCheck*' }
        @{ Text = 'Join-Path a b c'; Finds = '*third path*' }
        @{ Text = 'Set-Content a b -Encoding utf8NoBOM'; Finds = '*utf8NoBOM*' }
        @{ Text = 'if ($IsWindows) { 1 }'; Finds = '*IsWindows*' }
        @{ Text = 'Test-Json $x'; Finds = '*Test-Json*' }
        @{ Text = '[Convert]::ToHexString($b)'; Finds = '*ToHexString*' }
        @{ Text = '[System.Security.Cryptography.SHA256]::HashData($b)'; Finds = '*HashData*' }
        @{ Text = '[System.Text.Json.JsonDocument]::Parse($x)'; Finds = '*JsonDocument*' }
        @{ Text = 'param([semver] $v)'; Finds = '*SemanticVersion*' }
        @{ Text = 'New-Object System.Threading.Lock'; Finds = '*Threading.Lock*' }
        @{ Text = '[No.Such.Type]::x'; Finds = '*No.Such.Type*' }
        @{ Text = "'$([char]0xe9)'"; Finds = '*not ASCII*' }
        @{ Text = 'if (1) {'; Finds = '*' }
    )
    $right = @(
        @{ Text = '[System.Net.ServicePointManager]::SecurityProtocol' }
        @{ Text = '[System.Management.Automation.WildcardPattern]::ContainsWildcardCharacters("a")' }
        @{ Text = 'Join-Path a b; Get-Content -Raw -Encoding UTF8 a; [string]::Join(",", @(1))' }
        @{ Text = 'New-Object "System.Collections.Generic.List[string]"; [powershell]::Create()' }
    )
}

BeforeAll { Import-Module (Join-Path $PSScriptRoot 'support/Compatibility.psm1') -Force }

Describe 'Compatibility' {
    It 'refuses <Text>' -ForEach $later {
        @(Get-CompatibilityFinding -Text $Text) -join "`n" | Should -BeLike $Finds
        @(Get-CompatibilityFinding -Text $Text).Count | Should -BeGreaterThan 0
    }
    It 'takes <Text>' -ForEach $right { Get-CompatibilityFinding -Text $Text | Should -BeNullOrEmpty }
    It 'finds nothing in <Name>' -ForEach $scripts {
        Get-CompatibilityFinding -Text (Get-Content -LiteralPath $File -Raw) | Should -BeNullOrEmpty
    }
    It 'compiles its C# as the compiler of 5.1 would' {
        $source = Get-Content -Raw (Join-Path $PSScriptRoot '../../hyperv/VMirror/Private/Fetch.ps1')
        $source -match "(?s)PinSource = @'\n(.*?)\n'@" | Should -BeTrue
        $code = $Matches[1] -replace 'namespace VMirror', 'namespace VMirrorFive'
        { Add-Type -TypeDefinition $code -CompilerOptions '-langversion:5' -IgnoreWarnings } | Should -Not -Throw
        { Add-Type -TypeDefinition 'public class A { public int B => 1; }' -CompilerOptions '-langversion:5' } | Should -Throw
    }
}
